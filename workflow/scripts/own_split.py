"""Choose one split of a user's own clips, of those that can be read."""

from pathlib import Path

from stage import stage
from transporter.pipeline.own_clips import READABLE, read_captions
from transporter.pipeline.splitting import choose_split
from transporter.support.errors import UserError
from transporter.support.files import read_table, write_table

with stage(snakemake):
    table, split = snakemake.input.captions, snakemake.wildcards.split
    chosen = choose_split(
        read_captions(Path(table)),
        split,
        snakemake.params.splits,
        snakemake.params.seed,
        table,
    )
    readable = read_table(snakemake.input.readable, READABLE, text=READABLE)
    kept = readable[readable["clip"].isin(chosen["clip"])]
    if kept.empty:
        raise UserError(
            f"{table}: expected readable clips in the split {split}, got none of {len(chosen)};"
            f" the first is {chosen['clip'].iloc[0]}; replace it, or add clips"
        )
    write_table(kept, snakemake.output[0])
