"""Sample training captions and their one-word edits."""

from model_stage import stage, unfinished

import shutil

from transporter.clips.contrast import read_concepts
from transporter.concepts.edits import plan_edits, sample_edits, widened
from transporter.generators.base import Sampling
from transporter.pipeline.loading import load_generator
from transporter.pipeline.world import load_world
from transporter.support.files import read_table
from transporter.support.hashes import digest, files_hash

with stage(snakemake) as device:
    model, params = snakemake.params.generator, snakemake.params
    captions = read_table(snakemake.input.captions, ("clip", "caption"), text=("clip",))[
        "caption"
    ].tolist()
    concepts, world = read_concepts(snakemake.input.concepts), load_world(params.world)
    known = widened(concepts, world.words if world else {})
    table = plan_edits(captions, known, params.groups, world)
    generator, folder = load_generator(model, device), unfinished(snakemake)
    key = digest(model, files_hash(snakemake.input.model), table.to_dict("list"), params.seed)
    sampling = Sampling(model["steps"], model["guidance"], params.at_once)
    sample_edits(table, generator, sampling, params.seed, folder, key)
    shutil.move(folder, snakemake.output[0])
