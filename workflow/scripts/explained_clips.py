"""Explain some clips of a split by one concept."""

from model_stage import stage

from functools import partial

from transporter.clips.contrast import read_concepts
from transporter.clips.split import SplitClips
from transporter.coupling.reader import Reader
from transporter.explainer.counterfactual import Counterfactual, explain
from transporter.explainer.many import Example, pick, write_explanations
from transporter.generation.editing import Editing
from transporter.pipeline.loading import load_generator, load_vlm
from transporter.pipeline.world import load_world

with stage(snakemake) as device:
    params, names = snakemake.params, snakemake.wildcards
    settings, model = params.settings, params.generator
    generator = load_generator(model, device)
    vlm = load_vlm(params.vlm, generator.video_shape, device, generator.fps)
    [concept] = read_concepts(snakemake.input.concepts, [names.concept])
    clips = SplitClips.of_table(snakemake.input.captions, params.folder, params.part)
    editing = Editing(steps=model["steps"], target_guidance=model["guidance"])
    frames, _, height, width = generator.video_shape

    def explained(row: int) -> Counterfactual:
        clip = clips.read(row, (frames, height, width), generator.fps)
        reader, caption = Reader(generator, vlm), clips.captions[row]
        return explain(clip.video, concept, reader, caption, settings["phi"], editing, params.seed)

    examples = [
        Example(
            clips.names[row],
            clips.captions[row],
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
    probes = load_world(params.world).probes(params.probes) if params.probes else None
    write_explanations(snakemake.output[0], examples, probes)
