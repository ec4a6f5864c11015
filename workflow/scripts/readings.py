"""The readings of all concepts of one generator and VLM, in one table."""

import pandas as pd

from stage import stage
from transporter.support.files import read_table, write_table

with stage(snakemake):
    tables = [read_table(path, ("concept",)) for path in snakemake.input]
    write_table(pd.concat(tables, ignore_index=True), snakemake.output[0])
