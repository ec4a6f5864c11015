"""Put all readings into one table, and sum them up per concept and per length of captions."""

import pandas as pd

from stage import stage
from transporter.metrics.summary import by_length, summarise
from transporter.support.files import read_table, write_table

COLUMNS = (
    "concept",
    "kind",
    "generator",
    "vlm",
    "method",
    "phi",
    "seed",
    "caption",
    "log_odds",
)

with stage(snakemake):
    readings = pd.concat([read_table(path, COLUMNS) for path in snakemake.input], ignore_index=True)
    write_table(readings, snakemake.output.readings)
    for column in {"p_source", "p_target", "hit", "kept"} & set(readings):
        readings[column] = pd.to_numeric(readings[column], errors="coerce")
    write_table(summarise(readings), snakemake.output.concepts)
    write_table(by_length(readings), snakemake.output.strata)
