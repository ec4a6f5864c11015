"""Explain some clips of a split by one concept."""

from model_stage import stage

from functools import partial

import pandas as pd
import torch

from transporter.clips.contrast import read_concepts
from transporter.clips.split import SplitClips
from transporter.concepts.discovery import Look, discover
from transporter.coupling.reader import Reader
from transporter.explainer.counterfactual import Counterfactual
from transporter.explainer.flip_search import explain
from transporter.explainer.many import Example, pick, write_explanations
from transporter.explainer.visual import loaded_lpips, measured
from transporter.generation.editing import Editing
from transporter.pipeline.loading import load_generator, load_vlm
from transporter.pipeline.world import load_world

with stage(snakemake) as device:
    params, names = snakemake.params, snakemake.wildcards
    settings, model = params.settings, params.generator
    generator = load_generator(model, device)
    vlm = load_vlm(params.vlm, generator.video_shape, device, generator.fps)
    known = read_concepts(snakemake.input.concepts)
    [concept] = [some for some in known if some.name == names.concept]
    reader = Reader(generator, vlm)
    lpips = loaded_lpips(snakemake.input.lpips or None)
    clips = SplitClips.of_table(snakemake.input.captions, params.folder, params.part)
    editing = Editing(steps=model["steps"], target_guidance=model["guidance"])
    frames, _, height, width = generator.video_shape

    def read(row: int) -> torch.Tensor:
        return clips.read(row, (frames, height, width), generator.fps).video

    def explained(row: int, swap: tuple[str, str] | None) -> Counterfactual:
        caption, phi = clips.captions[row], settings["phi"]
        found = explain(read(row), concept, reader, caption, phi, editing, params.seed, swap=swap)
        return measured(found, lpips)

    def ranked(row: int) -> pd.DataFrame:
        look, caption = Look(guidance=model["guidance"]), clips.captions[row]
        return discover(read(row), concept.question, vlm, generator, known, caption, look)[1]

    examples = [
        Example(
            clips.names[row],
            partial(explained, row),
            partial(ranked, row),
            {
                "video": clips.names[row],
                "caption": clips.captions[row],
                "question": concept.question,
                "generator": names.generator,
                "VLM": names.vlm,
                "seed": str(params.seed),
            },
        )
        for row in pick(concept, clips.captions, settings["clips"], params.seed)
    ]
    probes = load_world(params.world).probes(params.probes) if params.probes else None
    write_explanations(snakemake.output[0], examples, probes)
