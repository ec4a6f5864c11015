"""The verdict on every explanation, in one table."""

from model_stage import stage

from pathlib import Path

import pandas as pd

from transporter.clips.contrast import read_concepts
from transporter.pipeline.world import load_world
from transporter.support.files import read_table, write_table
from transporter.truth.cases import Case
from transporter.truth.readings import READINGS
from transporter.truth.table import summarise, verdict_table

with stage(snakemake):
    concepts = {concept.name: concept for concept in read_concepts(snakemake.input.concepts)}
    world, natural = load_world(snakemake.params.world), {}
    shortcuts = world.read_shortcuts(snakemake.input.shortcuts) if world else {}
    if snakemake.input.natural:
        table = read_table(snakemake.input.natural, ("attribute", "variation"))
        natural = dict(zip(table["attribute"], table["variation"], strict=True))
    tables = []
    for path in map(Path, snakemake.input.readings):
        generator, vlm, planted, concept = path.with_suffix("").parts[-4:]
        case = Case(concepts[concept], shortcuts.get(planted), world)
        verdicts = verdict_table(
            read_table(path, READINGS), case, natural, world.words if natural else {}
        )
        labels = {"generator": generator, "vlm": vlm, "planted": planted, "concept": concept}
        tables.append(pd.DataFrame(labels, index=verdicts.index).join(verdicts))
        print(f"{vlm}, {planted}, {concept}: {len(verdicts)} methods", flush=True)
    verdicts = pd.concat(tables, ignore_index=True)
    write_table(verdicts, snakemake.output.table)
    write_table(summarise(verdicts), snakemake.output.summary)
