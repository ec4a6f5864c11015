"""Sample the explanations of one VLM's choice between two words, and read them."""

from model_stage import stage

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from transporter.clips.contrast import read_concepts
from transporter.concepts.answered import best_edit
from transporter.concepts.bank import ConceptBank
from transporter.concepts.edits import Edits, widened
from transporter.coupling.reader import Reader
from transporter.figures.described import described_figure
from transporter.generators.base import Sampling
from transporter.metrics.alignment import VideoTextModel
from transporter.pipeline.loading import load_generator, load_vlm
from transporter.pipeline.world import load_world
from transporter.support.errors import Unavailable
from transporter.support.files import write_table
from transporter.truth.cases import HONEST, NULLS, Case, without_words
from transporter.truth.controls import (
    CLIPS_AT_ONCE,
    Controls,
    NothingFlips,
    explain,
    open_contexts,
)
from transporter.truth.described import describe_methods
from transporter.truth.lookup import BEST, OWN, TWO, ask, best_two, edited
from transporter.truth.nulls import as_case
from transporter.truth.readings import READINGS, read_asked, read_clips, read_noised
from video_text import video_text


def encoder(params: Any, device: torch.device) -> VideoTextModel | None:
    """What compares clips with words; the verdicts can do without."""
    try:
        found = video_text(params.metrics, params.world, device)
    except Unavailable as reason:
        print(f"no words are compared: {reason}", flush=True)
        return None
    return found and found[0]


def log_odds(read: pd.DataFrame) -> list[float]:
    return read["log_odds"].tolist() if len(read) else []


with stage(snakemake) as device:
    params, name = snakemake.params, snakemake.wildcards.case
    planted = name not in (HONEST, *NULLS)
    [concept] = read_concepts(snakemake.input.concepts, [snakemake.wildcards.concept])
    world, generator = load_world(params.world), load_generator(params.generator, device)
    shortcuts = world.read_shortcuts(snakemake.input.shortcuts) if planted else {}
    case = Case.named(name, concept, shortcuts, world)
    vlm = load_vlm(params.vlm, generator.video_shape, device, generator.fps)
    reader = Reader(generator, as_case(vlm, name))
    honest = None if name == HONEST else vlm
    if planted:
        honest = load_vlm(params.honest, generator.video_shape, device, generator.fps)
    probes = world.probes(params.probes) if params.probes else None
    controls = Controls.load(snakemake.input.controls)
    try:
        rows = open_contexts(controls, concept, reader, params.captions)
    except NothingFlips as reason:
        # the other cases go on, and the table of verdicts tells which have none
        print(reason, flush=True)
        write_table(pd.DataFrame(columns=list(READINGS)), snakemake.output.readings)
        write_table(pd.DataFrame(columns=["method", "sentence"]), snakemake.output.changes)
        described_figure({}, Path(snakemake.output.figure))
        Controls([], {}).save(snakemake.output.example)
    else:
        banks = {
            name: ConceptBank.load(path, device)
            for name, path in zip(params.objectives, snakemake.input.banks, strict=True)
        }
        sampling = Sampling(params.generator["steps"], params.generator["guidance"], CLIPS_AT_ONCE)
        words = world.words if world else {}
        known = without_words(read_concepts(snakemake.input.vocabulary), case.hidden)
        vocabulary = widened(known, words)
        texts = [pair[0] for pair in controls.only(rows).pairs]
        asked = ask(texts, vocabulary, generator, sampling, world, params.seed)
        answers = read_asked(asked, case, reader, honest, probes)
        edits = Edits.load(Path(snakemake.input.edits), Path(snakemake.input.edits_reencoded))
        edits = replace(edits, hidden=case.hidden)
        edit = best_edit(concept, edits, reader)
        print(f"the best edit over all captions: {edit}", flush=True)
        own = asked.best(texts, log_odds(answers))

        def ask_again(texts: list[str]) -> list[tuple[str, float]]:
            again = ask(texts, vocabulary, generator, sampling, world, params.seed + 1)
            return again.best(texts, log_odds(read_asked(again, case, reader, None, None)))

        captions = {
            BEST: [edited(text, edit, vocabulary, world) for text in texts],
            OWN: [text for text, _ in own],
            TWO: best_two(own, ask_again),
        }
        clips = explain(case, controls, rows, banks, captions, generator, sampling, params.seed)
        readings = read_clips(clips, case, reader, honest, probes)
        noise = []
        if params.noise:
            noise = [read_noised(clips, case, reader, honest, probes)]
        changes = describe_methods(clips, generator, vocabulary, encoder(params, device))
        rows = [{"method": method} | one.row() for method, one in changes.items()]
        write_table(pd.DataFrame(rows), snakemake.output.changes)
        described_figure(changes, Path(snakemake.output.figure))
        clips.first().save(snakemake.output.example)
        table = pd.concat([readings, *noise, answers], ignore_index=True)
        write_table(table, snakemake.output.readings)
