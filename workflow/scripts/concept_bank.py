"""Fit the concept vectors of one generator and VLM."""

from pathlib import Path

from stage import stage
from transporter.concepts.contexts import gather_contexts
from transporter.concepts.edits import Edits, answered_pairs
from transporter.concepts.fitting import BankSettings, fit_bank
from transporter.contrast import read_concepts
from transporter.coupling.network import Coupling
from transporter.embeddings import load_embeddings
from transporter.files import read_table, write_table
from transporter.models import load_generator, load_vlm
from transporter.reading import Reader

with stage(snakemake) as device:
    generator = load_generator(snakemake.params.generator, device)
    vlm = load_vlm(snakemake.params.vlm, generator.video_shape, device)
    coupling = Coupling.load(snakemake.input.coupling, device).variant(output=snakemake.params.output)
    reader = Reader(generator, vlm, coupling)
    clips, z_xi = load_embeddings(Path(snakemake.input.z_xi))
    table = read_table(snakemake.input.captions, ("clip", "caption"), text=("clip",)).set_index("clip")
    captions = table.loc[clips, "caption"].tolist()
    concepts = read_concepts(snakemake.input.concepts, snakemake.params.names)
    settings = BankSettings.from_mapping(snakemake.params.settings, snakemake.params.seed)
    if snakemake.input.get("edits"):
        edits = Edits.load(Path(snakemake.input.edits), Path(snakemake.input.edits_again))
        contexts = {concept.name: answered_pairs(concept, edits, reader) for concept in concepts}
    else:
        contexts = {concept.name: gather_contexts(concept, captions, z_xi, reader) for concept in concepts}
    bank, reached = fit_bank(concepts, contexts, reader, settings)
    write_table(reached, snakemake.output.table)
    bank.save(snakemake.output.bank)
