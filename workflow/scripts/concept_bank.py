"""Fit the concept vectors of one generator and VLM to one objective after another: banks come out
first, then as many tables.
"""

from model_stage import stage, unfinished

import shutil
from dataclasses import replace
from pathlib import Path

from contexts import read_contexts
from transporter.clips.contrast import read_concepts
from transporter.concepts.edits import Edits, all_answered_pairs
from transporter.concepts.fitting import BankSettings, fit_bank, with_refused
from transporter.coupling.network import Coupling
from transporter.coupling.reader import Reader
from transporter.pipeline.config import ASKING
from transporter.pipeline.loading import load_generator, load_vlm
from transporter.support.files import write_table

with stage(snakemake) as device:
    params, places = snakemake.params, list(snakemake.output)
    folder = unfinished(snakemake)
    generator = load_generator(params.generator, device)
    vlm = load_vlm(params.vlm, generator.video_shape, device, generator.fps)
    weights = snakemake.input.coupling
    reader = Reader(
        generator,
        vlm,
        Coupling.load(weights, device).variant(output=params.output) if weights else None,
    )
    concepts = read_concepts(snakemake.input.concepts, params.names)
    contexts, banks, refused = {}, {}, {}
    if not set(params.objectives) <= set(ASKING):
        contexts["words"] = read_contexts(snakemake.input, concepts, generator)
    if set(params.objectives) & set(ASKING):
        edits = Edits.load(Path(snakemake.input.edits), Path(snakemake.input.edits_reencoded))
        contexts["answers"], refused = all_answered_pairs(concepts, edits, reader)
    settings = BankSettings.from_mapping(params.settings, params.seed)
    for objective, bank, table in zip(
        params.objectives, places[: len(places) // 2], places[len(places) // 2 :], strict=True
    ):
        pairs = contexts["answers" if objective in ASKING else "words"]
        made, reached = fit_bank(
            [concept for concept in concepts if concept.name in pairs],
            pairs,
            reader,
            replace(settings, objective=objective),
            banks.get("answers"),
            folder / objective,
        )
        banks[objective] = made
        if objective in ASKING:
            width = generator.condition_shape[1]
            made, reached = with_refused(made, reached, concepts, refused, width)
        write_table(reached, table)
        made.save(bank)
    shutil.rmtree(folder, ignore_errors=True)  # a bank in closed form has none
