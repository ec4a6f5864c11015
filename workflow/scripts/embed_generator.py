"""Encode a split's clips with the generator's VAE: z_xi."""

from model_stage import hand_over, stage, unfinished

from pathlib import Path

from transporter.clips.embeddings import embed_clips
from transporter.clips.reading import read_clip
from transporter.clips.window import Window
from transporter.pipeline.loading import load_generator
from transporter.support.files import read_table
from transporter.support.hashes import digest, files_hash

BATCH = SHARD = 16  # a changed clip makes the clips of its shard anew

with stage(snakemake) as device:
    generator = load_generator(snakemake.params.generator, device)
    frames, _, height, width = generator.video_shape
    size, fps, part = (frames, height, width), generator.fps, snakemake.params.part
    window = Window(part["start"], part["seconds"])
    names = read_table(snakemake.input.captions, ("clip", "caption"), text=("clip",))["clip"]
    folder = unfinished(snakemake)
    embed_clips(
        [Path(snakemake.params.clips) / name for name in names],
        lambda video: generator.encode(video.to(device)),
        folder,
        lambda path: read_clip(path, size, fps, window, part["fit"]),
        BATCH,
        SHARD,
        key=digest(snakemake.params.generator, part, files_hash(snakemake.input.model)),
        names=names.tolist(),
    )
    hand_over(folder, snakemake)
