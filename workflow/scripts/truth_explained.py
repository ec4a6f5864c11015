"""Explain clips that nobody generated to a VLM whose cue is known, and see what they name."""

from model_stage import stage

import pandas as pd

from transporter.clips.contrast import read_concepts
from transporter.clips.split import SplitClips
from transporter.explainer.explainer import Explainer
from transporter.explainer.known_cues import COLUMNS, STRENGTHS, row
from transporter.explainer.many import pick
from transporter.explainer.one_clip import explain_clip
from transporter.generators.base import Sampling
from transporter.pipeline.loading import load_generator, load_vlm
from transporter.pipeline.world import load_world
from transporter.support.files import write_table
from transporter.truth.cases import HONEST, Case

with stage(snakemake) as device:
    params, name = snakemake.params, snakemake.wildcards.case
    [concept] = read_concepts(snakemake.input.concepts, [snakemake.wildcards.concept])
    world, model = load_world(params.world), params.generator
    shortcuts = {} if name == HONEST else world.read_shortcuts(snakemake.input.shortcuts)
    case, probes = Case(concept, shortcuts.get(name), world), world.probes(params.probes)
    generator = load_generator(model, device)
    explainer = Explainer(
        generator,
        load_vlm(params.vlm, generator.video_shape, device, generator.fps),
        Sampling(model["steps"], model["guidance"]),
        concepts={known.name: known for known in read_concepts(snakemake.input.vocabulary)},
        words=world.words,
        **params.looks,
    )
    clips = SplitClips.of_table(snakemake.input.captions, params.folder, params.part)
    frames, _, height, width = generator.video_shape
    rows = []
    for place in pick(concept, clips.captions, params.clips, params.seed):
        clip = explain_clip(
            explainer,
            clips.read(place, (frames, height, width), generator.fps).video,
            concept,
            clips.captions[place],
            STRENGTHS,
            params.seed,
            generator.fps,
            rank_all=False,
            for_page=False,
        )
        rows.append(row(clips.names[place], clip, case, probes))
        print(f"{clips.names[place]}, {clip.found.caption}: {clip.flipped.verdict}", flush=True)
    write_table(pd.DataFrame(rows, columns=list(COLUMNS)), snakemake.output[0])
