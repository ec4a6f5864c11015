"""Train the microworld's text encoder and diffusion transformer, and put them together with the
VAE.
"""

from model_stage import stage, unfinished

from pathlib import Path

from card import UNSEEN, finish
from microworld.probes import Probes
from microworld.renderer import FPS, FRAMES, SIZE
from microworld.training.cards import HeldOut, generator_card
from microworld.training.generator import MAX_TOKENS, train_generator
from transporter.generators.wan import WanGenerator
from transporter.training.rates import WarmThenDecay
from transporter.training.schedule import Schedule

WHAT = (
    "The microworld's generator, a `WanPipeline`: a caption to 17 frames of 64 x 64 pixels. Read by"
    " the probes."
)
STEPS, GUIDANCE = 12, 2.0
CONTROLS = {"in colours and on ground of seen ones": (UNSEEN, HeldOut.seen_twins)}
"""What of the difference between both kinds of clips comes from their shapes and motions."""

with stage(snakemake) as device:
    folder, checkpoints = Path(snakemake.output[0]), unfinished(snakemake)
    schedule = Schedule(
        snakemake.params.steps,
        snakemake.params.seed,
        rate=WarmThenDecay(decay_from=0.4),
        ema=0.999,
        device=str(device),
    )
    pipeline, summary = train_generator(
        checkpoints, schedule, Path(snakemake.input.vae), snakemake.params.chunks
    )
    for part in (pipeline.vae, pipeline.text_encoder, pipeline.transformer):
        part.half()
    pipeline.save_pretrained(folder)
    generator = WanGenerator(str(folder), FRAMES, SIZE, SIZE, FPS, MAX_TOKENS, device=device)
    probes = Probes.from_pretrained(snakemake.input.probes, device)
    finish(
        folder,
        WHAT,
        summary,
        checkpoints,
        lambda clips: generator_card(generator, probes, clips, STEPS, GUIDANCE),
        CONTROLS,
    )
