"""The metrics of generated videos by name."""

from __future__ import annotations

from collections.abc import Mapping

from transporter.metrics.alignment import AestheticScore, Alignment
from transporter.metrics.base import Metric
from transporter.metrics.captions import CaptionAgreement, SentenceCosine
from transporter.metrics.embeddings import EmbeddingSimilarity
from transporter.metrics.frechet import FrechetVideoDistance
from transporter.metrics.perceptual import VideoLPIPS

METRICS: Mapping[str, type[Metric]] = {
    "fvd": FrechetVideoDistance,
    "lpips": VideoLPIPS,
    "alignment": Alignment,
    "aesthetic": AestheticScore,
    "captions": CaptionAgreement,
    "sentences": SentenceCosine,
    "embeddings": EmbeddingSimilarity,
}
