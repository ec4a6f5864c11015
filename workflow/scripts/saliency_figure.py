"""Draw where vectors change pixels."""

from model_stage import stage

from pathlib import Path

from transporter.figures.where import COLUMNS, where_figure
from transporter.saliency.generated import TOP
from transporter.support.files import read_table

with stage(snakemake):
    table = read_table(snakemake.input[0], COLUMNS)
    where_figure(table, TOP, [Path(snakemake.output.pdf), Path(snakemake.output.png)])
