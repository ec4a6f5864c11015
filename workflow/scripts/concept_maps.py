"""Fit the maps of one generator's and VLM's concepts to the words of captions."""

from model_stage import stage

from dataclasses import asdict

from transporter.clips.contrast import read_concepts
from transporter.concepts.bank import ConceptBank
from transporter.concepts.contexts import word_pairs
from transporter.concepts.settings import BankSettings
from transporter.concepts.word_maps import fit_maps
from transporter.pipeline.loading import load_generator
from transporter.pipeline.world import load_world
from transporter.support.files import read_table

with stage(snakemake) as device:
    params = snakemake.params
    generator = load_generator(params.generator, device)
    settings = BankSettings.from_mapping(params.settings, params.seed)
    captions = read_table(snakemake.input.captions, ("clip", "caption"))["caption"].tolist()
    concepts = read_concepts(snakemake.input.concepts, params.names)
    world = load_world(params.world)
    pairs = {
        concept.name: word_pairs(concept, captions, generator, params.limit, world)
        for concept in concepts
    }
    maps = fit_maps(pairs, settings.ridge, settings.rank, generator.device)
    ConceptBank(maps, asdict(settings)).save(snakemake.output[0])
