"""Encode a split's clips with the generator's VAE: z_xi."""

from model_stage import hand_over, stage, unfinished

from transporter.clips.embeddings import embed_clips
from transporter.clips.split import SplitClips
from transporter.pipeline.loading import load_generator
from transporter.support.hashes import digest, files_hash

BATCH = SHARD = 16  # a changed clip makes the clips of its shard anew

with stage(snakemake) as device:
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
        BATCH,
        SHARD,
        key=digest(snakemake.params.generator, part, files_hash(snakemake.input.model)),
        names=clips.names,
    )
    hand_over(folder, snakemake)
