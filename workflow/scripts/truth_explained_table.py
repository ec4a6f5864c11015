"""What explained clips name, counted by VLM."""

from model_stage import stage

from pathlib import Path

import numpy as np

from transporter.explainer.known_cues import COLUMNS, TEXT, Explained, counted
from transporter.pipeline.world import load_world
from transporter.support.files import read_table, write_table

with stage(snakemake):
    learnt, world = {}, load_world(snakemake.params.world)
    shortcuts = world.read_shortcuts(snakemake.input.shortcuts)
    if snakemake.input.answers:
        answers = read_table(
            snakemake.input.answers, ("shortcut", "attribute", "planted", "taught")
        )
        answers = answers[answers["planted"] == "yes"]
        learnt = answers.set_index(["shortcut", "attribute"])["taught"].to_dict()
    found = []
    for path in map(Path, snakemake.input.explained):
        generator, vlm, planted, concept = path.with_suffix("").parts[-4:]
        attribute = shortcuts[planted].attribute if planted in shortcuts else ""
        taught = learnt.get((planted, attribute), np.nan)
        table = read_table(path, COLUMNS, text=TEXT)
        found.append(Explained(generator, vlm, planted, concept, table, taught))
    write_table(counted(found), snakemake.output[0])
