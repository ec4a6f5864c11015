"""Read the generated clips of one concept, or of several: by the VLM, by the probes, and through
Phi where the rule gives it.
"""

from model_stage import kept, stage

from functools import partial
from typing import Any

import pandas as pd

from transporter.clips.contrast import Concept, read_concepts
from transporter.concepts.bank import ConceptBank
from transporter.coupling.network import Coupling
from transporter.coupling.reader import Reader
from transporter.generation.sweeps import Generated
from transporter.metrics.faithfulness import label, read_concept
from transporter.pipeline.loading import load_generator, load_vlm
from transporter.pipeline.world import load_world
from transporter.support.files import write_table
from transporter.support.kept import columns_of

with stage(snakemake) as device:
    generator = load_generator(snakemake.params.generator, device)
    vlm = load_vlm(snakemake.params.vlm, generator.video_shape, device, generator.fps)
    params, place = snakemake.params, snakemake.input.get("coupling")
    coupling = Coupling.load(place, device).variant(output=params.output) if place else None
    reader = Reader(generator, vlm, coupling)
    bank = ConceptBank.load(snakemake.input.bank, device)
    probes = load_world(params.world).probes(params.probes) if params.probes else None
    keep, tables = kept(snakemake), []

    def read(concept: Concept, folder: str) -> dict[str, list[Any]]:
        """The readings of one concept's clips."""
        generated = Generated.load(folder)
        if params.get("methods"):
            generated = generated.of(params.methods)
        table = read_concept(generated, concept, reader, bank, probes, params.seed, params.at_once)
        names = snakemake.wildcards
        return columns_of(label(table, concept, names.generator, names.vlm))

    for concept, folder in zip(
        read_concepts(snakemake.input.concepts, snakemake.params.names),
        snakemake.input.generated,
        strict=True,
    ):
        tables.append(pd.DataFrame(keep(concept.name, partial(read, concept, folder))))
        print(f"{concept.name}: {len(tables[-1])} clips read", flush=True)
    write_table(pd.concat(tables, ignore_index=True), snakemake.output[0])
    keep.remove()
