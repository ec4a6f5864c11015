"""All explained clips on one page, and counted by concept."""

from pathlib import Path

from stage import stage
from transporter.clips.contrast import read_concepts
from transporter.explainer.counts import Explained, summary
from transporter.explainer.many_page import page
from transporter.support.files import write_table, written_whole

with stage(snakemake):
    params, place = snakemake.params, Path(snakemake.output.page)
    concepts = {c.name: c for c in read_concepts(params.concepts, params.names)}
    found = [Explained.load(folder, place.parent) for folder in snakemake.input.explained]
    table = summary(found)
    write_table(table, snakemake.output.table)
    with written_whole(place) as partial:
        partial.write_text(page(found, table, concepts), encoding="utf-8")
