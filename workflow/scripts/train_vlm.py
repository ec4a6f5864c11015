"""Train the microworld's VLM."""

from pathlib import Path

from card import finish
from stage import stage, unfinished
from transporter.microworld.training.cards import vlm_card
from transporter.microworld.training.loop import Schedule
from transporter.microworld.training.vlm import train_vlm
from transporter.microworld.training.vlm_model import build_processor
from transporter.vlms.qwen_vl import QwenVL

WHAT = "The microworld's VLM, a `Qwen2VLForConditionalGeneration`: it describes a clip and answers about one attribute."

with stage(snakemake):
    folder, checkpoints = Path(snakemake.output[0]), unfinished(snakemake)
    schedule = Schedule(snakemake.params.steps, snakemake.params.seed, max_norm=2.0)
    vlm, summary = train_vlm(checkpoints, schedule, Path(snakemake.input.vae))
    vlm.half().save_pretrained(folder)
    build_processor().save_pretrained(folder)
    finish(folder, WHAT, summary, checkpoints, lambda clips: vlm_card(QwenVL(str(folder), tuple(clips.video.shape[1:])), clips))
