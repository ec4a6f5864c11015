"""Score the clips of all methods about one VLM, and real ones."""

from pathlib import Path

from safetensors.torch import save_file

from stage import stage
from transporter.clips.contrast import read_concepts
from transporter.clips.video import read_video
from transporter.metrics.alignment import AestheticScore, Alignment, HubCLIP
from transporter.metrics.embeddings import EmbeddingSimilarity
from transporter.metrics.frechet import Features, FrechetVideoDistance, i3d_features
from transporter.metrics.perceptual import VideoLPIPS
from transporter.metrics.scoring import score
from transporter.metrics.systems import (
    RealClips,
    all_systems,
    generated,
    inverted,
    make_all,
    protocols,
)
from transporter.networks.published import fetched
from transporter.pipeline.loading import load_vlm
from transporter.pipeline.world import load_world
from transporter.support.errors import Unavailable
from transporter.support.files import write_table, written_whole
from transporter.support.hashes import LENGTH, files_hash

FRAMES = "evenly spaced over the clip"

with stage(snakemake) as device:
    source, params = snakemake.input, snakemake.params
    size = [params.video[key] for key in ("frames", "height", "width")]
    vlm = load_vlm(params.vlm, (size[0], 3, *size[1:]), device)
    concepts = {concept.name: concept for concept in read_concepts(source.concepts)}
    real, others = (
        RealClips.read(source[f"captions_{split}"], params.folders[split])
        for split in ("held_out", "validation")
    )
    parts = [
        *(
            inverted(folder, "/".join(Path(folder).parts[-3:-1]), concepts[Path(folder).name])
            for folder in source.inverted
        ),
        *(
            generated(folder, f"transporter/{Path(folder).parts[-3]}", concepts[Path(folder).name])
            for folder in source.generated
        ),
    ]
    clips = all_systems(parts, real, others)

    def fvd_probe() -> FrechetVideoDistance:
        if not params.probes:
            raise Unavailable("probes: none are configured")
        features = load_world(params.world).probes(params.probes, device).features
        return FrechetVideoDistance(
            Features("probe", features, files_hash([params.probes])[:LENGTH]), FRAMES
        )

    def hub_clip() -> HubCLIP | None:
        return (
            HubCLIP(params.settings["clip"], params.settings["clip_revision"], device)
            if params.settings["clip"]
            else None
        )

    def alignment() -> Alignment:
        if model := hub_clip():
            return Alignment(model, f"{params.settings['clip']} {params.settings['clip_revision']}")
        if judge := params.settings["clip_judge"]:
            return Alignment(
                load_world(params.world).clip_judge(judge, device),
                f"judge {files_hash([judge])[:LENGTH]}",
            )
        raise Unavailable("CLIP^v: neither metrics.clip nor metrics.clip_judge is configured")

    metrics, left_out = make_all(
        {
            "fvd": lambda: FrechetVideoDistance(
                i3d_features(fetched("i3d", source.i3d), device), FRAMES
            ),
            "fvd_probe": fvd_probe,
            "lpips": lambda: VideoLPIPS(fetched("lpips", source.lpips)).to(device),
            "alignment": alignment,
            "aesthetic": lambda: AestheticScore(
                hub_clip(), params.settings["head"], str(params.settings["clip"])
            ),
            "embeddings": lambda: EmbeddingSimilarity(snakemake.wildcards.vlm),
        }
    )
    scores = score(
        clips, real.files, metrics, lambda path: read_video(path, *size).to(device), vlm.encode
    )
    write_table(scores.table, snakemake.output.clips)
    with written_whole(snakemake.output.vectors) as partial:
        save_file({name: vectors.contiguous() for name, vectors in scores.vectors.items()}, partial)
    per_system = int(clips["system"].value_counts().iloc[0])
    write_table(
        protocols(metrics, len(real.files), per_system, left_out), snakemake.output.protocol
    )
