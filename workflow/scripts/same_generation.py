"""The videos of one VLM's concepts for another, whose maps are the same."""

from pathlib import Path

from stage import stage
from transporter.support.files import same_tree

with stage(snakemake):
    same_tree(Path(snakemake.input[0]), snakemake.output[0])
