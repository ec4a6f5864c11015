"""Draw the captions' agreement over the number of projections."""

from pathlib import Path

from stage import stage
from transporter.figures.exhibit import Exhibit
from transporter.figures.projections import CAPTION, projections_figure
from transporter.support.files import read_table

with stage(snakemake):
    table, projections = snakemake.input.table, snakemake.params.projections
    exhibit = Exhibit.of(snakemake.output.png, CAPTION, projections, [table], snakemake.params.code)
    figure = projections_figure(read_table(table, ("variant",)), projections)
    exhibit.write(figure, Path(snakemake.output.png).with_suffix(""))
