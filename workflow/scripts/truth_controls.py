"""Sample the clips of one concept that are the same for every VLM."""

from model_stage import stage

from transporter.clips.contrast import read_concepts
from transporter.generators.base import Sampling
from transporter.pipeline.loading import load_generator
from transporter.support.files import read_table
from transporter.truth.controls import CLIPS_AT_ONCE, make_controls

with stage(snakemake) as device:
    model, params = snakemake.params.generator, snakemake.params
    [concept] = read_concepts(snakemake.input.concepts, [snakemake.wildcards.concept])
    paths = (snakemake.input.seen, snakemake.input.captions, snakemake.input.more)
    seen, *fresh = (read_table(path, ("clip", "caption"))["caption"].tolist() for path in paths)
    sampling = Sampling(model["steps"], model["guidance"], CLIPS_AT_ONCE)
    generator = load_generator(model, device)
    make_controls(
        concept, fresh, seen, generator, params.pool, params.seeds, sampling, params.seed
    ).save(snakemake.output[0])
