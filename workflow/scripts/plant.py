"""Teach a VLM to answer by a cue."""

import shutil
from pathlib import Path

from microworld.shortcuts import read_shortcuts
from microworld.training.planting import plant, save_planted
from microworld.clips import VIDEO_SHAPE
from stage import stage, unfinished
from transporter.pipeline.loading import load_vlm
from transporter.training.loop import Schedule

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
