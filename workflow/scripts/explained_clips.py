"""Explain some clips of a split by one concept."""

from model_stage import stage

from functools import partial

from transporter.clips.contrast import read_concepts
from transporter.clips.split import SplitClips
from transporter.explainer.explainer import Explainer
from transporter.explainer.many import Example, pick, write_explanations
from transporter.explainer.one_clip import ExplainedClip, explain_clip
from transporter.explainer.speed import refuse_spread
from transporter.explainer.visual import loaded_lpips
from transporter.generators.base import Sampling
from transporter.pipeline.loading import load_generator, load_vlm
from transporter.pipeline.world import load_world

with stage(snakemake) as device:
    params, names = snakemake.params, snakemake.wildcards
    settings, model = params.settings, params.generator
    world = load_world(params.world)
    generator = load_generator(model, device)
    explainer = Explainer(
        generator,
        load_vlm(params.vlm, generator.video_shape, device, generator.fps),
        Sampling(model["steps"], model["guidance"]),
        concepts={known.name: known for known in read_concepts(snakemake.input.concepts)},
        words=world.words if world else {},
        lpips=loaded_lpips(snakemake.input.lpips or None),
        draws=settings["draws"],
        pairs=settings["pairs"],
    )
    concept = explainer.concepts[names.concept]
    clips = SplitClips.of_table(snakemake.input.captions, params.folder, params.part)
    frames, _, height, width = generator.video_shape

    def explained(row: int) -> ExplainedClip:
        refuse_spread(concept, clips.windows[row], frames, generator.fps)
        video = clips.read(row, (frames, height, width), generator.fps).video
        return explain_clip(
            explainer,
            video,
            concept,
            clips.captions[row],
            settings["phi"],
            params.seed,
            generator.fps,
            rank_all=False,
        )

    examples = [
        Example(
            clips.names[row],
            partial(explained, row),
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
    probes = world.probes(params.probes) if params.probes else None
    write_explanations(snakemake.output[0], examples, probes)
