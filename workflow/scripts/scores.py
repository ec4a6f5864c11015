"""Score the clips of all methods about one VLM, and real ones."""

from model_stage import stage

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from safetensors.torch import save_file

from transporter.clips.contrast import read_concepts
from transporter.clips.split import SplitClips, reader_of
from transporter.metrics.alignment import AestheticScore, Alignment
from transporter.metrics.base import Metric
from transporter.metrics.embeddings import EmbeddingSimilarity
from transporter.metrics.frechet import (
    Features,
    FrechetVideoDistance,
    i3d_features,
    two_of_each,
)
from transporter.metrics.perceptual import VideoLPIPS
from transporter.metrics.scoring import AT_ONCE, score
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
from video_text import hub_clip, video_text

FRAMES = "all of a made clip, of a real one those of its window"


def clips_of_all(source: Any, real: RealClips, others: RealClips) -> pd.DataFrame:
    """The clips of all systems, a row each."""
    concepts = {concept.name: concept for concept in read_concepts(source.concepts)}
    parts = []
    for folder in map(Path, source.inverted):
        method, weights, name = folder.parts[-3:]
        parts.append(inverted(str(folder), f"{method}/{weights}", concepts[name]))
    for folder in map(Path, source.generated):
        generator, _, name = folder.parts[-3:]
        parts.append(generated(str(folder), generator, concepts[name]))
    return all_systems(parts, real, others)


def fvd(path: str, device: torch.device) -> FrechetVideoDistance:
    """FVD with I3D, whose weights or whose absence are at `path`."""
    return FrechetVideoDistance(i3d_features(fetched("i3d", path), device), FRAMES)


def fvd_probe(params: Any, device: torch.device) -> FrechetVideoDistance:
    """FVD in the features of the world's probes."""
    if not params.probes:
        raise Unavailable("probes: none are configured")
    features = load_world(params.world).probes(params.probes, device).features
    file_hash = files_hash([params.probes])[:LENGTH]
    return FrechetVideoDistance(Features("probe", features, file_hash), FRAMES)


def alignment(params: Any, device: torch.device) -> Alignment:
    """CLIP^v by a CLIP of the hub, or else by the world's own judge."""
    if found := video_text(params.settings, params.world, device):
        return Alignment(*found)
    raise Unavailable("CLIP^v: neither metrics.clip nor metrics.clip_judge is configured")


def aesthetic(settings: dict[str, Any], device: torch.device) -> AestheticScore:
    """LAION's score, by the CLIP and the head of the settings."""
    return AestheticScore(hub_clip(settings, device), settings["head"], str(settings["clip"]))


def counted(counts: tuple[int, int], maker: Callable[[], Metric]) -> Metric:
    """A metric of sets, where there are enough real clips and clips of each system."""
    two_of_each(*counts)
    return maker()


def makers(
    source: Any, params: Any, vlm: str, counts: tuple[int, int], device: torch.device
) -> dict[str, Callable[[], Metric]]:
    """What makes each metric, in the order of the table's columns."""
    return {
        "fvd": lambda: counted(counts, lambda: fvd(source.i3d, device)),
        "fvd_probe": lambda: counted(counts, lambda: fvd_probe(params, device)),
        "lpips": lambda: VideoLPIPS(fetched("lpips", source.lpips)).to(device),
        "alignment": lambda: alignment(params, device),
        "aesthetic": lambda: aesthetic(params.settings, device),
        "embeddings": lambda: EmbeddingSimilarity(vlm),
    }


with stage(snakemake) as device:
    source, params = snakemake.input, snakemake.params
    size, fps = (
        tuple(params.video[key] for key in ("frames", "height", "width")),
        params.video["fps"],
    )
    vlm = load_vlm(params.vlm, (size[0], 3, *size[1:]), device, fps)
    splits = [
        SplitClips.of_table(source[f"captions_{split}"], params.folders[split], params.part)
        for split in ("held_out", "validation")
    ]
    real, others = (RealClips(clips.labels, clips.captions) for clips in splits)
    read = reader_of(splits, size, fps)
    clips = clips_of_all(source, real, others)
    per_system = int(clips["system"].value_counts().iloc[0])
    counts = len(real.files), per_system
    metrics, left_out = make_all(makers(source, params, snakemake.wildcards.vlm, counts, device))
    at_once = min(AT_ONCE, params.at_once)
    scores = score(
        clips, real.files, metrics, lambda label: read(label).to(device), vlm.encode, at_once
    )
    write_table(scores.table, snakemake.output.clips)
    vectors = {name: values.contiguous() for name, values in scores.vectors.items()}
    with written_whole(snakemake.output.vectors) as partial:
        save_file(vectors, partial)
    write_table(protocols(metrics, *counts, left_out), snakemake.output.protocol)
