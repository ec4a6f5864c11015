"""Encode a split's clips with the generator's VAE: z_xi."""

import shutil
from pathlib import Path

from stage import stage, unfinished
from transporter.clips.embeddings import embed_clips
from transporter.clips.reading import read_clip
from transporter.clips.window import Window
from transporter.pipeline.loading import load_generator
from transporter.support.files import read_table
from transporter.support.hashes import digest, files_hash

BATCH, SHARD = 16, 256

with stage(snakemake) as device:
    generator = load_generator(snakemake.params.generator, device)
    frames, _, height, width = generator.video_shape
    size, fps, clips = (frames, height, width), generator.fps, snakemake.params.clips
    window = Window(clips["start"], clips["seconds"])
    names = read_table(snakemake.input.captions, ("clip", "caption"), text=("clip",))["clip"]
    folder = unfinished(snakemake)
    embed_clips(
        [Path(snakemake.input.clips) / name for name in names],
        lambda video: generator.encode(video.to(device)),
        folder,
        lambda path: read_clip(path, size, fps, window, clips["fit"]),
        BATCH,
        SHARD,
        key=digest(snakemake.params.generator, clips, files_hash(snakemake.input.model)),
    )
    shutil.move(folder, snakemake.output[0])
