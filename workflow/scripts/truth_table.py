"""The verdict on every explanation, in one table."""

from pathlib import Path

import pandas as pd

from microworld.attributes import WORDS
from microworld.shortcuts import read_shortcuts
from stage import stage
from transporter.clips.contrast import read_concepts
from transporter.support.files import read_table, write_table
from transporter.truth.cases import HONEST, Subject
from transporter.truth.readings import READINGS
from transporter.truth.table import judge_explanations, summarise

with stage(snakemake):
    concepts = {concept.name: concept for concept in read_concepts(snakemake.input.concepts)}
    shortcuts, natural = read_shortcuts(snakemake.input.shortcuts), {}
    if snakemake.input.natural:
        table = read_table(snakemake.input.natural, ("attribute", "variation"))
        natural = dict(zip(table["attribute"], table["variation"], strict=True))
    tables = []
    for path in map(Path, snakemake.input.readings):
        generator, vlm, planted, concept = path.with_suffix("").parts[-4:]
        subject = Subject(concepts[concept], None if planted == HONEST else shortcuts[planted])
        verdicts = judge_explanations(
            read_table(path, READINGS), subject, natural, WORDS if natural else {}
        )
        labels = {"generator": generator, "vlm": vlm, "planted": planted, "concept": concept}
        tables.append(pd.DataFrame(labels, index=verdicts.index).join(verdicts))
        print(f"{vlm}, {planted}, {concept}: {len(verdicts)} methods", flush=True)
    verdicts = pd.concat(tables, ignore_index=True)
    write_table(verdicts, snakemake.output.table)
    write_table(summarise(verdicts), snakemake.output.summary)
