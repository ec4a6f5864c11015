"""Generate sweeps of phi of one concept, or of several, by every method."""

from model_stage import kept, stage

from transporter.clips.contrast import read_concepts
from transporter.concepts.bank import ConceptBank
from transporter.generation.captions import pick_contexts
from transporter.generation.spacing import Response
from transporter.generation.sweeps import write_concept
from transporter.generators.base import Sampling
from transporter.pipeline.loading import load_generator
from transporter.support.files import read_table

with stage(snakemake) as device:
    settings, model = snakemake.params.settings, snakemake.params.generator
    fresh, seen = (
        read_table(path, ("clip", "caption"))["caption"].tolist()
        for path in (snakemake.input.captions, snakemake.input.seen)
    )
    generator, bank = load_generator(model, device), ConceptBank.load(snakemake.input.bank, device)
    concepts = read_concepts(snakemake.input.concepts, snakemake.params.names)
    keep, response = kept(snakemake), snakemake.input.get("response")
    phi = Response.load(response).even(settings["phi"]) if response else settings["phi"]
    for concept, folder in zip(concepts, snakemake.output, strict=True):
        write_concept(
            folder,
            concept,
            pick_contexts(concept, fresh, seen, settings["seeds"], snakemake.params.seed),
            generator,
            bank,
            phi,
            settings["methods"],
            Sampling(model["steps"], model["guidance"], snakemake.params.at_once),
            snakemake.params.seed,
            keep,
        )
    keep.remove()
