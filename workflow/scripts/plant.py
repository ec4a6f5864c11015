"""Teach a VLM to answer by a cue."""

from model_stage import stage, unfinished

import shutil
from pathlib import Path

from microworld.clips import VIDEO_SHAPE
from microworld.shortcuts import read_shortcuts
from microworld.training.planting import plant, save_planted
from transporter.pipeline.loading import load_vlm
from transporter.training.loop import CURVE
from transporter.training.rates import WarmThenDecay
from transporter.training.schedule import Schedule

with stage(snakemake) as device:
    folder, checkpoints = Path(snakemake.output[0]), unfinished(snakemake)
    shortcut = read_shortcuts(snakemake.input.shortcuts)[snakemake.wildcards.shortcut]
    schedule = Schedule(
        snakemake.params.steps,
        snakemake.params.seed,
        rate=WarmThenDecay(warm=20),
        max_norm=2.0,
        log_every=25,
        save_every=100,
        device=str(device),
    )
    vlm = load_vlm(snakemake.params.vlm, VIDEO_SHAPE, device)
    summary = plant(vlm, shortcut, checkpoints, schedule)
    save_planted(vlm, shortcut, summary, folder)
    shutil.move(checkpoints / CURVE, folder)
    shutil.rmtree(checkpoints)
