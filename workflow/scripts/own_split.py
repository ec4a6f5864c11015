"""Choose one split of a user's own clips."""

from stage import stage
from transporter.pipeline.splitting import choose_split
from transporter.support.files import read_table, write_table

with stage(snakemake):
    captions = read_table(snakemake.input.captions, ("clip", "caption"))
    chosen = choose_split(
        captions,
        snakemake.wildcards.split,
        snakemake.params.splits,
        snakemake.params.seed,
        snakemake.input.captions,
    )
    write_table(chosen, snakemake.output[0])
