"""Draw the overview of the method."""

from pathlib import Path

from stage import stage
from transporter.figures.exhibit import Exhibit
from transporter.figures.method import CAPTION, method_figure

with stage(snakemake):
    exhibit = Exhibit.of(snakemake.output.png, CAPTION, {}, [], snakemake.params.code)
    exhibit.write(method_figure(), Path(snakemake.output.png).with_suffix(""))
