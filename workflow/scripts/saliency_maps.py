"""Maps of both words of a concept in every clip of its sweep."""

from model_stage import stage

from transporter.clips.contrast import read_concepts
from transporter.generation.sweeps import Generated
from transporter.pipeline.loading import load_generator
from transporter.saliency.generated import changes, sweep_maps
from transporter.saliency.settings import chosen, read_reading

with stage(snakemake) as device:
    settings = snakemake.params.settings
    generator = load_generator(snakemake.params.generator, device)
    [concept] = read_concepts(snakemake.input.concepts, [snakemake.wildcards.concept])
    swept = Generated.load(snakemake.input.generated)
    choices, reading = chosen(settings), read_reading(settings)
    found = sweep_maps(generator, swept, concept, choices, reading, snakemake.params.seed)
    found.save(snakemake.output[0], changes(generator, swept, found))
