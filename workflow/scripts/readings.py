"""Read every generated clip of one generator and VLM: by the VLM, through Phi, and by the
probes.
"""

from model_stage import stage

import pandas as pd

from transporter.clips.contrast import read_concepts
from transporter.concepts.bank import ConceptBank
from transporter.coupling.network import Coupling
from transporter.coupling.reader import Reader
from transporter.generation.sweeps import Generated
from transporter.metrics.faithfulness import label, read_concept
from transporter.pipeline.loading import load_generator, load_vlm
from transporter.pipeline.world import load_world
from transporter.support.files import write_table

with stage(snakemake) as device:
    generator = load_generator(snakemake.params.generator, device)
    vlm = load_vlm(snakemake.params.vlm, generator.video_shape, device, generator.fps)
    coupling = Coupling.load(snakemake.input.coupling, device).variant(
        output=snakemake.params.output
    )
    reader = Reader(generator, vlm, coupling)
    bank = ConceptBank.load(snakemake.input.bank, device)
    params = snakemake.params
    probes = load_world(params.world).probes(params.probes) if params.probes else None
    tables = []
    for concept, folder in zip(
        read_concepts(snakemake.input.concepts, snakemake.params.names),
        snakemake.input.generated,
        strict=True,
    ):
        read = read_concept(
            Generated.load(folder), concept, reader, bank, probes, snakemake.params.seed
        )
        tables.append(label(read, concept, snakemake.wildcards.generator, snakemake.wildcards.vlm))
        print(f"{concept.name}: {len(read)} clips read", flush=True)
    write_table(pd.concat(tables, ignore_index=True), snakemake.output[0])
