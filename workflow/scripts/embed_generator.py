"""Encode a split's clips with the generator's VAE: z_xi."""

from model_stage import hand_over, part_of, stage, unfinished

from transporter.clips.embedding import embed_clips
from transporter.clips.split import SplitClips
from transporter.pipeline.loading import load_generator
from transporter.support.hashes import digest, files_hash

with stage(snakemake) as device:
    memory = snakemake.params.memory
    generator = load_generator(snakemake.params.generator, device)
    frames, _, height, width = generator.video_shape
    size, fps, part = (frames, height, width), generator.fps, snakemake.params.part
    clips = SplitClips.of_table(snakemake.input.captions, snakemake.params.clips, part)
    folder = unfinished(snakemake)
    embed_clips(
        clips.files,
        lambda video: generator.encode(video.to(device)),
        folder,
        lambda row: clips.read(row, size, fps),
        memory["embedding"],
        memory["shard"],
        key=digest(snakemake.params.generator, part, files_hash(snakemake.input.model)),
        names=clips.names,
        part=part_of(snakemake),
    )
    hand_over(folder, snakemake)
