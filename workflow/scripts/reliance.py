"""Measure what a VLM's answers go by, before and after each shortcut was planted."""

from model_stage import stage

from pathlib import Path

import numpy as np
import pandas as pd

from microworld.clips import VIDEO_SHAPE, Clips
from microworld.questions import log_answers
from microworld.reliance import measure
from microworld.shortcuts import read_shortcuts
from microworld.training.cards import RELIANCE_SEED
from transporter.pipeline.loading import load_vlm
from transporter.support.files import write_table

CLIPS = 192

with stage(snakemake) as device:
    clips = Clips.draw(CLIPS, np.random.default_rng(RELIANCE_SEED))
    video, seen = clips.video(), clips.seen()
    shortcuts = read_shortcuts(snakemake.input.shortcuts)
    tables = {name: [] for name in snakemake.output.keys()}  # noqa: SIM118 - not a mapping
    settings = snakemake.params.settings
    honest = load_vlm(settings, VIDEO_SHAPE, device)
    plain = log_answers(honest, video)
    for folder in map(Path, snakemake.input.planted):
        shortcut = shortcuts[folder.name]
        looks = shortcut.made_by.paint(video, seen)
        base = plain if looks is video else log_answers(honest, looks)
        planted = log_answers(
            load_vlm({**settings, "path": str(folder)}, VIDEO_SHAPE, device), looks
        )
        for state, read in (("no", base), ("yes", planted)):
            labels = {"vlm": snakemake.params.vlm, "shortcut": folder.name, "planted": state}
            for name, table in measure(read, seen, shortcut).items():
                tables[name].append(pd.DataFrame(labels, index=table.index).join(table))
        print(f"{folder.name} measured", flush=True)
    for name, parts in tables.items():
        write_table(pd.concat(parts, ignore_index=True), snakemake.output[name])
