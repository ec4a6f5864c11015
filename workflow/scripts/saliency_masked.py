"""Maps of real clips' words against the masks of a data set, by every reading."""

from model_stage import stage

from transporter.pipeline.loading import load_generator
from transporter.saliency.masked_clips import masked_clips, masked_table
from transporter.saliency.settings import chosen, read_masks, read_reading
from transporter.support.files import write_table

with stage(snakemake) as device:
    params, settings = snakemake.params, snakemake.params.settings
    generator = load_generator(params.generator, device)
    frames, _, height, width = generator.video_shape
    clips = masked_clips(read_masks(settings), (frames, height, width))
    table = masked_table(generator, clips, chosen(settings), read_reading(settings), params.seed)
    write_table(table, snakemake.output[0])
