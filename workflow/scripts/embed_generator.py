"""Encode a split's clips with the generator's VAE: z_xi."""

from pathlib import Path

from stage import hand_over, stage, unfinished
from transporter.clips.embeddings import embed_clips
from transporter.clips.video import read_video
from transporter.pipeline.loading import load_generator
from transporter.support.files import read_table
from transporter.support.hashes import digest, files_hash

BATCH = SHARD = 16  # a changed clip makes the clips of its shard anew

with stage(snakemake) as device:
    generator = load_generator(snakemake.params.generator, device)
    frames, _, height, width = generator.video_shape
    names = read_table(snakemake.input.captions, ("clip", "caption"), text=("clip",))[
        "clip"
    ].tolist()
    folder = unfinished(snakemake)
    embed_clips(
        [Path(snakemake.params.clips) / name for name in names],
        lambda video: generator.encode(video.to(device)),
        folder,
        lambda path: read_video(path, frames, height, width),
        BATCH,
        SHARD,
        names=names,
        key=digest(snakemake.params.generator, files_hash(snakemake.input.model)),
    )
    hand_over(folder, snakemake)
