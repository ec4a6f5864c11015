"""Read every generated clip of one generator and VLM: by the VLM, through Phi, and by the
probes.
"""

from pathlib import Path

import pandas as pd

from stage import stage
from transporter.concepts.bank import ConceptBank
from transporter.contrast import read_concepts
from transporter.coupling.network import Coupling
from transporter.files import write_table
from transporter.generation.sampling import Generated
from transporter.metrics.faithfulness import label, read_concept
from transporter.microworld.probes import Probe
from transporter.models import load_generator, load_vlm
from transporter.reading import Reader

with stage(snakemake) as device:
    generator = load_generator(snakemake.params.generator, device)
    vlm = load_vlm(snakemake.params.vlm, generator.video_shape, device)
    coupling = Coupling.load(snakemake.input.coupling, device).variant(
        output=snakemake.params.output
    )
    reader = Reader(generator, vlm, coupling)
    bank = ConceptBank.load(snakemake.input.bank, device)
    probe = (
        Probe.from_pretrained(Path(snakemake.params.probes)) if snakemake.params.probes else None
    )
    tables = []
    for concept, folder in zip(
        read_concepts(snakemake.input.concepts, snakemake.params.names),
        snakemake.input.generated,
        strict=True,
    ):
        read = read_concept(
            Generated.load(folder), concept, reader, bank, probe, snakemake.params.seed
        )
        tables.append(label(read, concept, snakemake.wildcards.generator, snakemake.wildcards.vlm))
        print(f"{concept.name}: {len(read)} clips read", flush=True)
    write_table(pd.concat(tables, ignore_index=True), snakemake.output[0])
