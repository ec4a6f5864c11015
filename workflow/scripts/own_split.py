"""Choose one split of a user's own clips."""

from stage import stage
from transporter.files import read_table, write_table
from transporter.splitting import choose_split

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
