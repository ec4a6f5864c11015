"""Where a VLM looks for its answers, beside the generator's maps of the words."""

from model_stage import stage

from transporter.clips.contrast import read_concepts
from transporter.pipeline.loading import load_generator, load_vlm
from transporter.pipeline.world import load_world
from transporter.saliency.looking import AT_ONCE, looks_table
from transporter.saliency.report import CHOOSING, REPORTED
from transporter.saliency.settings import chosen, read_reading
from transporter.support.files import write_table

with stage(snakemake) as device:
    params, settings = snakemake.params, snakemake.params.settings
    generator, world = load_generator(params.generator, device), load_world(params.world)
    vlm = load_vlm(params.vlm, generator.video_shape, device, generator.fps)
    clips = {
        CHOOSING: list(world.placed(settings["choosing"], params.seed, held_out=False)),
        REPORTED: list(world.placed(settings["reported"], params.seed, held_out=True)),
    }
    table = looks_table(
        generator,
        vlm,
        clips,
        world.words,
        read_concepts(snakemake.input.concepts),
        chosen(settings),
        read_reading(settings),
        params.seed,
        min(AT_ONCE, params.at_once),
    )
    write_table(table, snakemake.output[0])
