"""Encode a split's clips with the VLM: z_omega."""

from pathlib import Path

from stage import hand_over, stage, unfinished
from transporter.clips.embeddings import embed_clips
from transporter.clips.video import read_video
from transporter.pipeline.loading import load_vlm
from transporter.support.files import read_table
from transporter.support.hashes import digest, files_hash

BATCH = SHARD = 16  # a changed clip makes the clips of its shard anew

with stage(snakemake) as device:
    frames, height, width = map(int, snakemake.wildcards.shape.split("x"))
    vlm = load_vlm(snakemake.params.vlm, (frames, 3, height, width), device)
    names = read_table(snakemake.input.captions, ("clip", "caption"), text=("clip",))[
        "clip"
    ].tolist()
    folder = unfinished(snakemake)
    embed_clips(
        [Path(snakemake.params.clips) / name for name in names],
        lambda video: vlm.encode(video.to(device)),
        folder,
        lambda path: read_video(path, frames, height, width),
        BATCH,
        SHARD,
        names=names,
        key=digest(
            snakemake.params.vlm, snakemake.wildcards.shape, files_hash(snakemake.input.model)
        ),
    )
    hand_over(folder, snakemake)
