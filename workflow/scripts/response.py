"""How the VLM's answer responds to the strength of one concept."""

from model_stage import stage

from transporter.clips.contrast import read_concepts
from transporter.concepts.bank import ConceptBank
from transporter.coupling.reader import Reader
from transporter.generation.captions import pick_contexts
from transporter.generation.response import measure_response
from transporter.generation.spacing import Response
from transporter.generators.base import Sampling
from transporter.pipeline.loading import load_generator, load_vlm
from transporter.support.errors import UserError
from transporter.support.files import read_table

with stage(snakemake) as device:
    inputs, params = snakemake.input, snakemake.params
    fresh, seen = (
        read_table(path, ("clip", "caption"))["caption"].tolist()
        for path in (inputs.captions, inputs.seen)
    )
    generator = load_generator(params.generator, device)
    vlm = load_vlm(params.vlm, generator.video_shape, device, generator.fps)
    [concept] = read_concepts(inputs.concepts, [snakemake.wildcards.concept])
    try:
        pairs = pick_contexts(concept, fresh, seen, params.clips, params.seed)
    except UserError as error:
        # what the run shows has captions of its own, and can do without
        print(f"strengths of {concept.name} stay as they are: {error}", flush=True)
        response = Response.unknown()
    else:
        response = measure_response(
            concept,
            pairs,
            Reader(generator, vlm),
            ConceptBank.load(inputs.bank, device),
            Sampling(params.generator["steps"], params.generator["guidance"], params.at_once),
            params.seed,
        )
        print(f"{concept.name}: {response.clips} of {params.clips} answers rise", flush=True)
    response.save(snakemake.output[0])
