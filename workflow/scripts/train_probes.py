"""Train the microworld's probes."""

from model_stage import stage, unfinished

from pathlib import Path

from card import finish
from microworld.probes import Probes
from microworld.training.cards import probes_card
from microworld.training.probes import train_probes
from transporter.training.schedule import Schedule

WHAT = (
    "The microworld's probes: for each attribute a classifier, a measurement that needs no"
    " training, or the mean of both."
)

with stage(snakemake) as device:
    folder, checkpoints = Path(snakemake.output[0]), unfinished(snakemake)
    schedule = Schedule(snakemake.params.steps, snakemake.params.seed, device=str(device))
    classifier, summary = train_probes(checkpoints, schedule, Path(snakemake.input.vae))
    Probes(classifier).save_pretrained(folder)
    finish(
        folder,
        WHAT,
        summary,
        checkpoints,
        lambda clips: probes_card(Probes.from_pretrained(folder, device), clips),
    )
