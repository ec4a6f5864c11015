"""Fit the concept vectors of one generator and VLM to one objective after another: banks come out
first, then as many tables.
"""

from model_stage import stage, unfinished

import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd

from contexts import read_contexts
from transporter.clips.contrast import read_concepts
from transporter.concepts.answered import all_answered_pairs, edit_moves
from transporter.concepts.bank import ConceptBank
from transporter.concepts.edits import Edits
from transporter.concepts.fitting import BankSettings, fit_bank
from transporter.concepts.outcomes import with_refused
from transporter.concepts.untold import untold_contexts
from transporter.coupling.network import Coupling
from transporter.coupling.reader import Reader
from transporter.pipeline.config import ASKING
from transporter.pipeline.loading import load_generator, load_vlm
from transporter.pipeline.world import load_world
from transporter.support.errors import UserError
from transporter.support.files import write_table
from transporter.truth.cases import NULLS
from transporter.truth.nulls import as_case

with stage(snakemake) as device:
    params, places = snakemake.params, list(snakemake.output)
    folder = unfinished(snakemake)
    generator = load_generator(params.generator, device)
    concepts, world = (
        read_concepts(snakemake.input.concepts, params.names),
        load_world(params.world),
    )
    contexts, banks, refused = {}, {}, {}
    if not set(params.objectives) <= set(ASKING):
        contexts["words"] = read_contexts(snakemake.input, concepts, generator, params.limit, world)
    case = snakemake.wildcards.get("case", "")
    vlm = as_case(load_vlm(params.vlm, generator.video_shape, device, generator.fps), case)
    weights = snakemake.input.coupling
    reader = Reader(
        generator,
        vlm,
        Coupling.load(weights, device).variant(output=params.output) if weights else None,
    )
    if set(params.objectives) & set(ASKING):
        edits = Edits.load(Path(snakemake.input.edits), Path(snakemake.input.edits_reencoded))
        hidden = frozenset(params.get("hidden", ()))
        edits = replace(edits, hidden=hidden)
        moves = {concept.name: edit_moves(concept, edits, reader) for concept in concepts}
        untold = {} if case in NULLS else untold_contexts(concepts, edits, generator, moves)
        try:
            contexts["answers"], refused = all_answered_pairs(concepts, edits, reader, moves, world)
        except UserError as error:
            if case not in NULLS and not hidden and not (untold and "logits" in params.objectives):
                raise
            contexts["answers"] = {}
            refused = {concept.name: str(error) for concept in concepts}
        contexts["logits"] = contexts["answers"] | untold
    settings = BankSettings.from_mapping(params.settings, params.seed)
    for objective, bank, table in zip(
        params.objectives, places[: len(places) // 2], places[len(places) // 2 :], strict=True
    ):
        pairs = contexts[objective if objective in ASKING else "words"]
        made, reached = ConceptBank({}), pd.DataFrame()
        if pairs:
            made, reached = fit_bank(
                [concept for concept in concepts if concept.name in pairs],
                pairs,
                reader,
                settings.fitted_to(objective),
                banks.get("answers"),
                folder / objective,
            )
        banks[objective] = made
        if objective in ASKING:
            width = generator.condition_shape[1]
            unfitted = {name: why for name, why in refused.items() if name not in pairs}
            made, reached = with_refused(made, reached, concepts, unfitted, width)
        write_table(reached, table)
        made.save(bank)
    shutil.rmtree(folder, ignore_errors=True)  # a bank in closed form has none
