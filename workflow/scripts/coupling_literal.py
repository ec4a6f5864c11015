"""Train rho-OT as the paper has it on the parts of Phi, which stay as they are."""

from model_stage import stage, unfinished

import shutil
from dataclasses import replace

from pairs import split_pairs
from transporter.coupling.network import Coupling
from transporter.coupling.processes import train_by
from transporter.coupling.settings import CouplingSettings
from transporter.pipeline.loading import load_generator

with stage(snakemake) as device:
    params, folder = snakemake.params, unfinished(snakemake)
    generator = load_generator(params.generator, device)
    train, watched = (split_pairs(snakemake, split, generator) for split in ("train", "validation"))
    generator.free()
    settings = dict(params.settings)
    steps = settings.pop("literal_steps")
    chosen = CouplingSettings.from_mapping(settings)
    literal = train_by(
        snakemake.config["coupling"]["processes"],
        train,
        watched,
        replace(
            chosen,
            output="transport",
            steps=steps,
            transport=replace(chosen.transport, aggregate="plans", values="z1"),
        ),
        folder,
        params.seed,
        device,
        start=Coupling.load(snakemake.input.coupling, device),
        only="transport",
    )
    literal.save(snakemake.output[0])
    shutil.rmtree(folder)
