"""Encode a split's clips with the VLM: z_omega."""

from model_stage import hand_over, stage, unfinished

from pathlib import Path

from transporter.clips.embeddings import embed_clips
from transporter.clips.reading import read_clip
from transporter.clips.window import Window
from transporter.pipeline.loading import load_vlm
from transporter.pipeline.paths import shape_of
from transporter.support.files import read_table
from transporter.support.hashes import digest, files_hash

BATCH = SHARD = 16  # a changed clip makes the clips of its shard anew

with stage(snakemake) as device:
    size, fps = shape_of(snakemake.wildcards.shape)
    frames, height, width = size
    part = snakemake.params.part
    window = Window(part["start"], part["seconds"])
    vlm = load_vlm(snakemake.params.vlm, (frames, 3, height, width), device, fps)
    names = read_table(snakemake.input.captions, ("clip", "caption"), text=("clip",))["clip"]
    folder = unfinished(snakemake)
    embed_clips(
        [Path(snakemake.params.clips) / name for name in names],
        lambda video: vlm.encode(video.to(device)),
        folder,
        lambda path: read_clip(path, size, fps, window, part["fit"]),
        BATCH,
        SHARD,
        names=names.tolist(),
        key=digest(
            snakemake.params.vlm,
            snakemake.wildcards.shape,
            part,
            files_hash(snakemake.input.model),
        ),
    )
    hand_over(folder, snakemake)
