"""Teach a VLM to answer by a cue."""

import shutil
from pathlib import Path

from stage import stage, unfinished
from transporter.microworld.shortcuts import read_shortcuts
from transporter.microworld.training.clips import VIDEO_SHAPE
from transporter.microworld.training.loop import Schedule
from transporter.microworld.training.planting import plant, save_planted
from transporter.models import load_vlm

with stage(snakemake) as device:
    folder, checkpoints = Path(snakemake.output[0]), unfinished(snakemake)
    shortcut = read_shortcuts(snakemake.input.shortcuts)[snakemake.wildcards.shortcut]
    schedule = Schedule(
        snakemake.params.steps,
        snakemake.params.seed,
        log_every=25,
        save_every=100,
        warm=20,
        max_norm=2.0,
        device=str(device),
    )
    vlm = load_vlm(snakemake.params.vlm, VIDEO_SHAPE, device)
    summary = plant(vlm, shortcut, checkpoints, schedule)
    save_planted(vlm, shortcut, summary, folder)
    shutil.move(checkpoints / "curve.tsv", folder)
    shutil.rmtree(checkpoints)
