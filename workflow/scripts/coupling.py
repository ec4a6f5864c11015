"""Train Phi on the training split, watched on the validation split; then, on its parts, rho-OT as
the paper has it.
"""

from model_stage import stage, unfinished

import shutil
from dataclasses import replace

from pairs import read_pairs
from transporter.coupling.settings import CouplingSettings
from transporter.coupling.training import train_coupling
from transporter.pipeline.loading import load_generator

with stage(snakemake) as device:
    generator = load_generator(snakemake.params.generator, device)
    train, watched = (
        read_pairs(snakemake.input, split, generator) for split in ("train", "validation")
    )
    settings, seed, folder = (
        dict(snakemake.params.settings),
        snakemake.params.seed,
        unfinished(snakemake),
    )
    steps = settings.pop("literal_steps")
    chosen = CouplingSettings.from_mapping(settings)
    coupling = train_coupling(train, watched, chosen, folder, seed, device)
    if steps:
        paper = replace(
            chosen,
            output="transport",
            steps=steps,
            transport=replace(chosen.transport, aggregate="plans", values="z1"),
        )
        literal = train_coupling(
            train,
            watched,
            paper,
            folder / "literal",
            seed,
            device,
            start=coupling,
            only="transport",
        )
        literal.save(snakemake.output.literal)
    coupling.save(snakemake.output.coupling)
    shutil.move(folder / "curve.tsv", snakemake.output.curve)
    shutil.rmtree(folder)
