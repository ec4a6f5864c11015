"""Train a VLM of the microworld, whose vision is trained already."""

from model_stage import stage, unfinished

import shutil
from functools import partial
from pathlib import Path

from card import SEEN, finish
from microworld.training.cards import HeldOut, vlm_card
from microworld.training.families import load_family
from microworld.training.vlm import train_vlm
from transporter.training.loop import CURVE
from transporter.training.schedule import Schedule

CONTROLS = {"frames shuffled": (SEEN, HeldOut.shuffled), "one frame only": (SEEN, HeldOut.still)}
"""What a clip must lose for its motion to become unreadable."""
WHAT = "A VLM of the microworld, a `{}`: it describes a clip and answers about one attribute."

with stage(snakemake) as device:
    folder, checkpoints, family = (
        Path(snakemake.output[0]),
        unfinished(snakemake),
        snakemake.wildcards.family,
    )
    schedule = Schedule(
        snakemake.params.steps, snakemake.params.seed, max_norm=2.0, device=str(device)
    )
    vision, vae = Path(snakemake.input.vision), Path(snakemake.input.vae)
    model, processor, summary = train_vlm(
        family, vision / "lesson.safetensors", checkpoints, schedule, vae
    )
    model.half().save_pretrained(folder)
    processor.save_pretrained(folder)
    what = WHAT.format(type(model).__name__)
    finish(
        folder,
        what,
        summary,
        checkpoints,
        partial(vlm_card, load_family(family, folder, device)),
        CONTROLS,
    )
    shutil.copy(vision / CURVE, folder / "vision_curve.tsv")
