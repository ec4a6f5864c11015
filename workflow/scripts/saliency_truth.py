"""Maps of rendered clips' words against true masks, by every reading."""

from model_stage import stage

from transporter.pipeline.loading import load_generator
from transporter.pipeline.world import load_world
from transporter.saliency.benchmark import BATCH
from transporter.saliency.report import CHOOSING, REPORTED, truth_table
from transporter.saliency.settings import chosen, read_reading
from transporter.support.files import write_table

with stage(snakemake) as device:
    params, settings = snakemake.params, snakemake.params.settings
    generator, world = load_generator(params.generator, device), load_world(params.world)
    clips = {
        CHOOSING: list(world.placed(settings["choosing"], params.seed, held_out=False)),
        REPORTED: list(world.placed(settings["reported"], params.seed, held_out=True)),
    }
    table = truth_table(
        generator,
        clips,
        chosen(settings),
        read_reading(settings),
        settings["levels"],
        settings["shifts"],
        params.seed,
        min(BATCH, params.at_once),
    )
    write_table(table, snakemake.output[0])
