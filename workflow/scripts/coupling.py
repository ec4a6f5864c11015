"""Train Phi on the training split, watched on the validation split."""

from model_stage import stage, unfinished

import shutil

from pairs import split_pairs
from transporter.coupling.processes import train_by
from transporter.coupling.settings import CouplingSettings
from transporter.pipeline.loading import load_generator

with stage(snakemake) as device:
    params, folder = snakemake.params, unfinished(snakemake)
    generator = load_generator(params.generator, device)
    train, watched = (split_pairs(snakemake, split, generator) for split in ("train", "validation"))
    generator.free()
    chosen = CouplingSettings.from_mapping(params.settings)
    count = snakemake.config["coupling"]["processes"]
    coupling = train_by(count, train, watched, chosen, folder, params.seed, device)
    coupling.save(snakemake.output.coupling)
    shutil.move(folder / "curve.tsv", snakemake.output.curve)
    shutil.rmtree(folder)
