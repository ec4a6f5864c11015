"""Encode a split's clips with the generator's VAE: z_xi."""

import shutil
from pathlib import Path

from stage import stage, unfinished
from transporter.clips.embeddings import embed_clips
from transporter.clips.reading import read_video
from transporter.pipeline.loading import load_generator
from transporter.support.files import read_table
from transporter.support.hashes import digest, files_hash

BATCH, SHARD = 16, 256

with stage(snakemake) as device:
    generator = load_generator(snakemake.params.generator, device)
    frames, _, height, width = generator.video_shape
    names = read_table(snakemake.input.captions, ("clip", "caption"), text=("clip",))["clip"]
    folder = unfinished(snakemake)
    embed_clips(
        [Path(snakemake.input.clips) / name for name in names],
        lambda video: generator.encode(video.to(device)),
        folder,
        lambda path: read_video(path, frames, height, width),
        BATCH,
        SHARD,
        key=digest(snakemake.params.generator, files_hash(snakemake.input.model)),
    )
    shutil.move(folder, snakemake.output[0])
