"""The verdict on every explanation, in one table."""

from model_stage import stage

import math
from pathlib import Path

import pandas as pd

from transporter.clips.contrast import read_concepts
from transporter.pipeline.world import load_world
from transporter.support.errors import UserError
from transporter.support.files import read_table, write_table
from transporter.truth.cases import Case, shortcut_name
from transporter.truth.readings import READINGS
from transporter.truth.table import summarise, verdict_table
from transporter.truth.told_apart import told_apart, word_moves

with stage(snakemake):
    concepts = {concept.name: concept for concept in read_concepts(snakemake.input.concepts)}
    world, natural = load_world(snakemake.params.world), {}
    shortcuts = world.read_shortcuts(snakemake.input.shortcuts) if world else {}
    if snakemake.input.natural:
        table = read_table(snakemake.input.natural, ("attribute", "variation"))
        natural = dict(zip(table["attribute"], table["variation"], strict=True))
    learnt = {}
    if snakemake.input.answers:
        answers = read_table(
            snakemake.input.answers, ("shortcut", "attribute", "planted", "taught")
        )
        answers = answers[answers["planted"] == "yes"]
        learnt = answers.set_index(["shortcut", "attribute"])["taught"].to_dict()
    tables, descriptions, moves = [], [], []
    for path, changes in zip(
        map(Path, snakemake.input.readings), snakemake.input.changes, strict=True
    ):
        generator, vlm, planted, concept = path.with_suffix("").parts[-4:]
        case = Case.named(planted, concepts[concept], shortcuts, world)
        words = world.words if natural else {}
        readings = read_table(path, READINGS)
        verdicts = verdict_table(readings, case, natural, words, snakemake.params.level)
        if verdicts.empty:
            source = concepts[concept].source
            print(f"{vlm}, {planted}, {concept}: left out, no clip at phi = 0 is answered {source}")
            continue
        labels = {"generator": generator, "vlm": vlm, "planted": planted, "concept": concept}
        described = read_table(changes, ("method", "sentence"), text=("nearest", "sentence"))
        descriptions.append(pd.DataFrame(labels, index=described.index).join(described))
        labels["learnt"] = learnt.get((shortcut_name(planted), case.attribute), math.nan)
        tables.append(pd.DataFrame(labels, index=verdicts.index).join(verdicts))
        moved = word_moves(readings)
        moves.append(pd.DataFrame(labels | {"move": moved.to_numpy()}, index=range(len(moved))))
        print(f"{vlm}, {planted}, {concept}: {len(verdicts)} methods", flush=True)
    if not tables:
        raise UserError(
            "truth: expected a VLM that answers some clip at phi = 0 by the source of a pair, found"
            " none; turn pairs round in truth.concepts, or add held-out clips"
        )
    verdicts = pd.concat(tables, ignore_index=True)
    write_table(verdicts, snakemake.output.table)
    write_table(summarise(verdicts), snakemake.output.summary)
    write_table(told_apart(pd.concat(moves, ignore_index=True)), snakemake.output.told_apart)
    write_table(pd.concat(descriptions, ignore_index=True), snakemake.output.described)
