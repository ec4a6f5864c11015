"""Does a vector that acts at its words' places keep more? Over all concepts, in one table."""

from model_stage import stage

from transporter.metrics.restriction import COLUMNS, restriction_table
from transporter.support.files import read_table, write_table

with stage(snakemake):
    tables = [read_table(path, COLUMNS) for path in snakemake.input]
    write_table(restriction_table(tables), snakemake.output[0])
