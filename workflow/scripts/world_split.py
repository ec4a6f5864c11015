"""Render one split of the microworld."""

from model_stage import stage

from pathlib import Path

from microworld.dataset import make_split
from microworld.splits import SPLITS, split_seed

with stage(snakemake):
    split = snakemake.wildcards.split
    folder = Path(snakemake.output.captions).parent
    make_split(
        folder, snakemake.params.clips, split_seed(snakemake.params.seed, split), SPLITS[split]
    )
