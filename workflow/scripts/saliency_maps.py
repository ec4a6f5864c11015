"""Maps of both words of a concept in every clip of its sweep."""

from model_stage import stage

from transporter.clips.contrast import read_concepts
from transporter.clips.world import Finder
from transporter.generation.sweeps import Generated
from transporter.pipeline.loading import load_generator
from transporter.pipeline.world import load_world
from transporter.saliency.generated import changes, sweep_maps
from transporter.saliency.inside import with_shares
from transporter.saliency.settings import chosen, read_reading

with stage(snakemake) as device:
    params, settings = snakemake.params, snakemake.params.settings
    generator, world = load_generator(params.generator, device), load_world(params.world)
    [concept] = read_concepts(snakemake.input.concepts, [snakemake.wildcards.concept])
    swept = Generated.load(snakemake.input.generated)
    found = sweep_maps(
        generator, swept, concept, chosen(settings), read_reading(settings), params.seed
    )
    if isinstance(world, Finder):
        found = with_shares(generator, swept, found, world)
    found.save(snakemake.output[0], changes(generator, swept, found))
