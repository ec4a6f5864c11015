"""Generate one concept's sweeps of phi, by every method."""

from stage import stage
from transporter.concepts.bank import ConceptBank
from transporter.contrast import read_concepts
from transporter.files import read_table
from transporter.generation.sampling import Sampling, pick_contexts, write_concept
from transporter.models import load_generator

with stage(snakemake) as device:
    settings, model = snakemake.params.settings, snakemake.params.generator
    [concept] = read_concepts(snakemake.input.concepts, [snakemake.wildcards.concept])
    fresh, seen = (
        read_table(path, ("clip", "caption"))["caption"].tolist() for path in (snakemake.input.captions, snakemake.input.seen)
    )
    write_concept(
        snakemake.output[0],
        concept,
        pick_contexts(concept, fresh, seen, settings["seeds"]),
        load_generator(model, device),
        ConceptBank.load(snakemake.input.bank, device),
        settings["phi"],
        settings["methods"],
        Sampling(model["steps"], model["guidance"]),
        snakemake.params.seed,
    )
