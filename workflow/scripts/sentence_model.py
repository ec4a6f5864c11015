"""Fetch the model that embeds captions."""

from pathlib import Path

from stage import stage
from transporter.weights import fetch

with stage(snakemake):
    fetch("minilm", Path(snakemake.output[0]).parent)
