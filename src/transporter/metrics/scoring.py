"""Every method's clips scored by the same metrics, clip by clip, so that methods can be compared
with intervals.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pandas as pd
import torch
from torchmetrics.utilities import dim_zero_cat

from transporter.metrics.alignment import AestheticScore, Alignment
from transporter.metrics.base import Metric
from transporter.metrics.embeddings import EmbeddingSimilarity
from transporter.metrics.frechet import FrechetVideoDistance
from transporter.metrics.perceptual import VideoLPIPS

COLUMNS = (
    "system",
    "concept",
    "seed",
    "target_caption",
    "clip",
    "origin",
    "reference",
    "seconds_per_step",
)
Read = Callable[[str], torch.Tensor]
"""A clip's file to `(T, 3, H, W)` in [0, 1]."""
Encode = Callable[[torch.Tensor], torch.Tensor]
"""Clips `(B, T, 3, H, W)` to the VLM's tokens `(B, N, D)`."""


@dataclass(frozen=True)
class Batch:
    """Clips, what each began from, a real clip to compare each with, `(B, T, 3, H, W)` in [0, 1],
    and target captions.
    """

    clip: torch.Tensor
    origin: torch.Tensor
    reference: torch.Tensor
    captions: list[str]


@dataclass(frozen=True)
class Scores:
    """`table`: the clips with a column per number that each clip has; `vectors`: what numbers of
    sets of clips are made of.

    `<metric>/real` has a row `(d,)` per real clip, `<metric>/generated` one per row of the table.
    """

    table: pd.DataFrame
    vectors: dict[str, torch.Tensor]


def score(
    clips: pd.DataFrame,
    real: list[str],
    metrics: Mapping[str, Metric],
    read: Read,
    encode: Encode,
    batch: int = 8,
) -> Scores:
    """Score clips, a row of `COLUMNS` each, of any number of systems, and the files `real` of real
    clips.

    `reference` is a real clip: LPIPS^v is measured from it. Metrics are of the classes of
    `transporter.metrics`, fresh.
    """
    sets = {
        name: metric
        for name, metric in metrics.items()
        if isinstance(metric, FrechetVideoDistance | EmbeddingSimilarity)
    }
    for start in range(0, len(real), batch):
        video = torch.stack([read(path) for path in real[start : start + batch]])
        for metric in sets.values():
            _take(metric, video, encode, real=True)
    for start in range(0, len(clips), batch):
        part = clips.iloc[start : start + batch]
        videos = {
            kind: torch.stack([read(path) for path in part[kind]])
            for kind in ("clip", "origin", "reference")
        }
        at = Batch(**videos, captions=part["target_caption"].tolist())
        for metric in metrics.values():
            _update(metric, at, encode)
        print(f"{start + len(part)} of {len(clips)} clips scored", flush=True)
    numbers = {
        key: values.tolist()
        for metric in metrics.values()
        for key, values in _per_clip(metric).items()
    }
    vectors = {
        f"{name}/{kind}": dim_zero_cat(getattr(metric, kind)).cpu()
        for name, metric in sets.items()
        for kind in ("real", "generated")
    }
    return Scores(clips.reset_index(drop=True).assign(**numbers), vectors)


@torch.no_grad()
def _take(metric: Metric, video: torch.Tensor, encode: Encode, real: bool) -> None:
    metric.update(encode(video) if isinstance(metric, EmbeddingSimilarity) else video, real=real)


def _update(metric: Metric, at: Batch, encode: Encode) -> None:
    if isinstance(metric, VideoLPIPS):
        metric.update(at.clip, at.reference)
    elif isinstance(metric, Alignment):
        metric.update(at.clip, at.origin, at.captions)
    elif isinstance(metric, AestheticScore):
        metric.update(at.clip)
    else:
        _take(metric, at.clip, encode, real=False)


def _per_clip(metric: Metric) -> dict[str, torch.Tensor]:
    """The numbers that each clip has, `(n,)`."""
    if isinstance(metric, VideoLPIPS):
        return {"lpips": dim_zero_cat(metric.distances)}
    if isinstance(metric, Alignment):
        reached, before = dim_zero_cat(metric.reached), dim_zero_cat(metric.before)
        return {"clip_score": reached, "delta": reached - before}
    if isinstance(metric, AestheticScore):
        return {"aesthetic": dim_zero_cat(metric.scores)}
    return {}
