"""Measure whether the answers of every VLM need time."""

import pandas as pd

from stage import stage
from transporter.files import write_table
from transporter.microworld.timing import timing
from transporter.microworld.training.cards import TIMING_SEED, HeldOut
from transporter.microworld.training.clips import VIDEO_SHAPE
from transporter.models import load_vlm

with stage(snakemake) as device:
    clips = HeldOut.draw(snakemake.params.clips, TIMING_SEED, held_out=False)
    tables = []
    for name, settings in snakemake.params.vlms.items():
        table = timing(load_vlm(settings, VIDEO_SHAPE, device), clips, snakemake.params.seed)
        tables.append(pd.DataFrame({"vlm": name}, index=table.index).join(table))
        print(f"{name} measured", flush=True)
    write_table(pd.concat(tables, ignore_index=True), snakemake.output[0])
