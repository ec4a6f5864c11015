"""Train the microworld's VLM."""

from functools import partial
from pathlib import Path

from card import finish
from stage import stage, unfinished
from transporter.microworld.renderer import FRAMES, SIZE
from transporter.microworld.training.cards import HeldOut, vlm_card
from transporter.microworld.training.loop import Schedule
from transporter.microworld.training.vlm import train_vlm
from transporter.microworld.training.vlm_model import build_processor
from transporter.vlms.qwen_vl import QwenVL

CONTROLS = {"frames shuffled": HeldOut.shuffled, "one frame only": HeldOut.still}
"""What a clip must lose for its motion to become unreadable."""
WHAT = "The microworld's VLM, a `Qwen2VLForConditionalGeneration`: it describes a clip and answers about one attribute."

with stage(snakemake):
    folder, checkpoints = Path(snakemake.output[0]), unfinished(snakemake)
    schedule = Schedule(snakemake.params.steps, snakemake.params.seed, max_norm=2.0)
    trained, summary = train_vlm(checkpoints, schedule, Path(snakemake.input.vae))
    trained.half().save_pretrained(folder)
    build_processor().save_pretrained(folder)
    vlm = QwenVL(str(folder), (FRAMES, 3, SIZE, SIZE))
    finish(folder, WHAT, summary, checkpoints, partial(vlm_card, vlm), CONTROLS)
