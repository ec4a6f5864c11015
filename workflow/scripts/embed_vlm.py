"""Encode a split's clips with the VLM: z_omega."""

import shutil
from pathlib import Path

from stage import stage, unfinished
from transporter.clips.embeddings import embed_clips
from transporter.clips.reading import read_clip
from transporter.clips.window import Window
from transporter.pipeline.loading import load_vlm
from transporter.pipeline.paths import shape_of
from transporter.support.files import read_table
from transporter.support.hashes import digest, files_hash

BATCH, SHARD = 16, 256

with stage(snakemake) as device:
    size, fps = shape_of(snakemake.wildcards.shape)
    frames, height, width = size
    clips = snakemake.params.clips
    window = Window(clips["start"], clips["seconds"])
    vlm = load_vlm(snakemake.params.vlm, (frames, 3, height, width), device, fps)
    names = read_table(snakemake.input.captions, ("clip", "caption"), text=("clip",))["clip"]
    folder = unfinished(snakemake)
    embed_clips(
        [Path(snakemake.input.clips) / name for name in names],
        lambda video: vlm.encode(video.to(device)),
        folder,
        lambda path: read_clip(path, size, fps, window, clips["fit"]),
        BATCH,
        SHARD,
        key=digest(
            snakemake.params.vlm,
            snakemake.wildcards.shape,
            clips,
            files_hash(snakemake.input.model),
        ),
    )
    shutil.move(folder, snakemake.output[0])
