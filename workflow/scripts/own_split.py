"""Choose one split of a user's own clips."""

from pathlib import Path

from stage import stage
from transporter.pipeline.own_clips import read_captions
from transporter.pipeline.splitting import choose_split
from transporter.support.files import write_table

with stage(snakemake):
    table = snakemake.input.captions
    chosen = choose_split(
        read_captions(Path(table)),
        snakemake.wildcards.split,
        snakemake.params.splits,
        snakemake.params.seed,
        table,
    )
    write_table(chosen, snakemake.output[0])
