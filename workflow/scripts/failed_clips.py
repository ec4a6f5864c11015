"""Put the clips of all splits that are left out into one table."""

from pathlib import Path

import pandas as pd

from stage import stage
from transporter.pipeline.own_clips import FAILED, READABLE, check_left_out
from transporter.support.files import read_table, write_table

with stage(snakemake):
    tables = [read_table(path, FAILED, text=FAILED) for path in snakemake.input.failed]
    readable = [read_table(path, READABLE, text=READABLE) for path in snakemake.input.splits]
    failed = pd.concat(tables, ignore_index=True)
    reasons = dict(zip(failed["clip"], failed["reason"], strict=True))
    clips = len(failed) + sum(map(len, readable))
    check_left_out(reasons, clips, snakemake.params.left_out, Path(snakemake.params.folder))
    write_table(failed, snakemake.output[0])
