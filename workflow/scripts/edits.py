"""Sample training captions and their one-word edits."""

import shutil

from stage import stage, unfinished
from transporter.concepts.edits import plan_edits, sample_edits
from transporter.contrast import read_concepts
from transporter.files import read_table
from transporter.generation.sampling import Sampling
from transporter.models import load_generator
from transporter.provenance import digest, files_hash

with stage(snakemake) as device:
    model, params = snakemake.params.generator, snakemake.params
    captions = read_table(snakemake.input.captions, ("clip", "caption"), text=("clip",))[
        "caption"
    ].tolist()
    table = plan_edits(captions, read_concepts(snakemake.input.concepts), params.groups)
    generator, folder = load_generator(model, device), unfinished(snakemake)
    key = digest(model, files_hash(snakemake.input.model), table.to_dict("list"), params.seed)
    sample_edits(
        table, generator, Sampling(model["steps"], model["guidance"]), params.seed, folder, key
    )
    shutil.move(folder, snakemake.output[0])
