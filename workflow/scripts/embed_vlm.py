"""Encode a split's clips with the VLM: z_omega."""

from model_stage import hand_over, part_of, stage, unfinished

from transporter.clips.embedding import embed_clips
from transporter.clips.split import SplitClips
from transporter.pipeline.loading import load_vlm, stored_precision
from transporter.pipeline.paths import shape_of
from transporter.support.hashes import digest, files_hash

with stage(snakemake) as device:
    memory = snakemake.params.memory
    size, fps = shape_of(snakemake.wildcards.shape)
    frames, height, width = size
    part = snakemake.params.part
    vlm = load_vlm(snakemake.params.vlm, (frames, 3, height, width), device, fps)
    clips = SplitClips.of_table(snakemake.input.captions, snakemake.params.clips, part)
    folder = unfinished(snakemake)
    embed_clips(
        clips.files,
        lambda video: vlm.encode(video.to(device)),
        folder,
        lambda row: clips.read(row, size, fps),
        memory["embedding"],
        memory["shard"],
        stored_precision(snakemake.params.vlm, memory["stored"]),
        names=clips.names,
        key=digest(
            snakemake.params.vlm,
            snakemake.wildcards.shape,
            part,
            files_hash(snakemake.input.model),
        ),
        part=part_of(snakemake),
    )
    hand_over(folder, snakemake)
