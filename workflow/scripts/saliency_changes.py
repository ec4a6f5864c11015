"""Where the vectors of all concepts change pixels, in one table."""

from pathlib import Path

from stage import stage
from transporter.saliency.changes import COLUMNS, changes_table
from transporter.support.files import read_table, write_table

with stage(snakemake):
    tables = [read_table(Path(path, "changes.tsv"), COLUMNS) for path in snakemake.input]
    write_table(changes_table(tables), snakemake.output[0])
