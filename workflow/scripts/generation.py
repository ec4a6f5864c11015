"""Generate sweeps of phi of one concept, or of several, by every method."""

from stage import stage
from transporter.concepts.bank import ConceptBank
from transporter.contrast import read_concepts
from transporter.files import read_table
from transporter.generation.sampling import Sampling, pick_contexts, write_concept
from transporter.models import load_generator

with stage(snakemake) as device:
    settings, model = snakemake.params.settings, snakemake.params.generator
    fresh, seen = (
        read_table(path, ("clip", "caption"))["caption"].tolist()
        for path in (snakemake.input.captions, snakemake.input.seen)
    )
    generator, bank = load_generator(model, device), ConceptBank.load(snakemake.input.bank, device)
    concepts = read_concepts(snakemake.input.concepts, snakemake.params.names)
    for concept, folder in zip(concepts, snakemake.output, strict=True):
        write_concept(
            folder,
            concept,
            pick_contexts(concept, fresh, seen, settings["seeds"]),
            generator,
            bank,
            settings["phi"],
            settings["methods"],
            Sampling(model["steps"], model["guidance"]),
            snakemake.params.seed,
        )
