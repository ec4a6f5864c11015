"""Measure whether the answers of every VLM need time."""

from model_stage import kept, stage

import pandas as pd

from microworld.clips import VIDEO_SHAPE
from microworld.timing import timing
from microworld.training.cards import TIMING_SEED, HeldOut
from transporter.pipeline.loading import load_vlm
from transporter.support.files import write_table

with stage(snakemake) as device:
    clips = HeldOut.draw(snakemake.params.clips, TIMING_SEED, held_out=False)
    keep, tables = kept(snakemake), []
    for name, settings in snakemake.params.vlms.items():
        vlm = load_vlm(settings, VIDEO_SHAPE, device)
        table = timing(vlm, clips, snakemake.params.seed, keep.within(name))
        tables.append(pd.DataFrame({"vlm": name}, index=table.index).join(table))
        print(f"{name} measured", flush=True)
    write_table(pd.concat(tables, ignore_index=True), snakemake.output[0])
    keep.remove()
