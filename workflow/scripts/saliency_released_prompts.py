"""Fetch the prompts of IMAP's authors."""

from stage import stage
from transporter.saliency.prompts import fetch_prompts

with stage(snakemake):
    fetch_prompts(snakemake.output[0])
