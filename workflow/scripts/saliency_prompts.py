"""Make clips of prompts, with maps of their words."""

from model_stage import kept, stage

from transporter.figures.prompt_clips import write_prompted
from transporter.generators.base import Sampling
from transporter.pipeline.loading import load_generator
from transporter.saliency.prompted import all_prompted, known, measured, prompts_table
from transporter.saliency.prompts import read_prompts
from transporter.saliency.settings import chosen
from transporter.support.files import write_table

with stage(snakemake) as device:
    params, model, output = snakemake.params, snakemake.params.generator, snakemake.output
    generator, keep = load_generator(model, device), kept(snakemake)
    served, lacks = known(generator, read_prompts(snakemake.input.table))
    seeds = range(params.seed, params.seed + params.settings["prompts"]["seeds"])
    sampling = Sampling(model["steps"], model["guidance"], params.at_once)
    found = all_prompted(generator, served, seeds, chosen(params.settings), sampling, keep)
    rows = measured(found)
    write_prompted(output.folder, generator, found, rows, lacks)
    write_table(prompts_table(rows), output.table)
    keep.remove()
