"""Write tables as pages."""

from pathlib import Path

from stage import stage
from transporter.figures.table_page import table_page
from transporter.support.files import read_table

with stage(snakemake):
    for path, page in zip(snakemake.input, snakemake.output, strict=True):
        Path(page).write_text(table_page(read_table(path, ()), Path(path).stem), encoding="utf-8")
