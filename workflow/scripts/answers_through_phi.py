"""How far the VLM's answers through Phi are those of the clips decoded and encoded again."""

from stage import stage
from transporter.metrics.summary import COUPLED, through_phi
from transporter.support.files import read_table, write_table

with stage(snakemake):
    readings = read_table(snakemake.input[0], COUPLED)
    write_table(through_phi(readings), snakemake.output[0])
