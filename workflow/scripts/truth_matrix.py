"""Draw what every explanation changes against what is true."""

from pathlib import Path

from stage import stage
from transporter.figures.truth import CASE, truth_matrix
from transporter.support.files import read_table

with stage(snakemake):
    truth_matrix(
        read_table(snakemake.input[0], (*CASE, "method")),
        [Path(snakemake.output.pdf), Path(snakemake.output.png)],
    )
