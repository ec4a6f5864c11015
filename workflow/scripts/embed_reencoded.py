"""Decode a split's latents and encode the videos with the VLM: E_Omega(D_Xi(z_xi))."""

from model_stage import hand_over, part_of, stage, unfinished

from pathlib import Path

from transporter.clips.embedding import embed_latents
from transporter.pipeline.loading import load_generator, load_vlm, stored_precision
from transporter.support.hashes import digest, files_hash

with stage(snakemake) as device:
    memory = snakemake.params.memory
    generator = load_generator(snakemake.params.generator, device)
    vlm = load_vlm(snakemake.params.vlm, generator.video_shape, device, generator.fps)
    folder = unfinished(snakemake)
    embed_latents(
        Path(snakemake.input.z_xi),
        lambda z_xi: vlm.encode(generator.decode(z_xi.to(device)).clamp(0, 1)),
        folder,
        memory["embedding"],
        memory["shard"],
        stored_precision(snakemake.params.vlm, memory["stored"]),
        key=digest(
            snakemake.params.generator,
            snakemake.params.vlm,
            files_hash(snakemake.input.generator),
            files_hash(snakemake.input.vlm),
        ),
        part=part_of(snakemake),
    )
    hand_over(folder, snakemake)
