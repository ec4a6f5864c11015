"""Maps of both words of a concept in every clip of its sweep."""

from model_stage import stage

from transporter.clips.contrast import read_concepts
from transporter.clips.world import Finder
from transporter.generation.sweeps import Generated
from transporter.pipeline.loading import load_generator
from transporter.pipeline.world import load_world
from transporter.saliency.generated import BATCH, changes, sweep_maps
from transporter.saliency.inside import Inside
from transporter.saliency.settings import chosen, read_reading

with stage(snakemake) as device:
    params, settings = snakemake.params, snakemake.params.settings
    generator, world = load_generator(params.generator, device), load_world(params.world)
    [concept] = read_concepts(snakemake.input.concepts, [snakemake.wildcards.concept])
    swept = Generated.load(snakemake.input.generated)
    reading, at_once = read_reading(settings), min(BATCH, params.at_once)
    found = sweep_maps(generator, swept, concept, chosen(settings), reading, params.seed, at_once)
    inside = Inside(world, generator.block_grid) if isinstance(world, Finder) else None
    table = changes(generator, swept, found, inside.watch if inside else None, at_once)
    found = inside.with_shares(found) if inside else found
    found.save(snakemake.output[0], table)
