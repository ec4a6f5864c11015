"""A metric says by its parameters what it needs; what it cannot have is refused by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import pytest
import torch

from transporter.metrics.alignment import AestheticScore, Alignment
from transporter.metrics.base import HIGHER, LOWER, Metric, check_video
from transporter.metrics.embeddings import EmbeddingSimilarity
from transporter.metrics.frechet import FrechetVideoDistance
from transporter.metrics.perceptual import VideoLPIPS
from transporter.support.errors import UserError

INPUTS = {
    FrechetVideoDistance: ("clip", "real"),
    VideoLPIPS: ("clip", "reference"),
    Alignment: ("clip", "origin", "captions"),
    AestheticScore: ("clip",),
    EmbeddingSimilarity: ("tokens", "real"),
}


class Brightness(Metric):
    numbers: ClassVar[Mapping[str, str]] = {"bright": HIGHER}

    def __init__(self) -> None:
        super().__init__()
        self.add_state("total", torch.tensor(0.0), dist_reduce_fx="sum")

    def update(self, clip: torch.Tensor) -> None:
        self.total += clip.mean()

    def compute(self) -> dict[str, float]:
        return {"bright": float(self.total)}

    def protocol(self) -> dict[str, str | int]:
        return {"size": "2x2"}


@pytest.mark.parametrize("metric", INPUTS, ids=lambda metric: metric.__name__)
def test_every_metric_says_what_it_needs(metric: type[Metric]) -> None:
    assert metric.inputs() == INPUTS[metric]


def test_every_number_is_of_one_metric_and_has_a_direction() -> None:
    names: list[str] = []
    for metric in INPUTS:
        numbers = getattr(metric, "numbers", {"fvd": LOWER})  # FVD is named after its features
        assert set(numbers.values()) <= {HIGHER, LOWER}
        names += numbers
    assert len(names) == len(set(names))


def test_a_parameter_that_no_scorer_has_is_named() -> None:
    class Sounds(Brightness):
        def update(self, clip: torch.Tensor, sound: torch.Tensor) -> None: ...

    with pytest.raises(
        UserError, match=r"Sounds\.update: expected parameters among clip, .*, got sound"
    ):
        Sounds.inputs()


def test_real_clips_have_no_captions() -> None:
    class Told(Brightness):
        def update(self, clip: torch.Tensor, captions: list[str], real: bool) -> None: ...

    with pytest.raises(UserError, match="among clip, tokens, real, got captions"):
        Told.inputs()


@pytest.mark.parametrize("shape", [(2, 3, 8, 8), (1, 0, 3, 8, 8), (1, 2, 1, 8, 8)])
def test_no_clips(shape: tuple[int, ...]) -> None:
    with pytest.raises(UserError, match=r"FVD: expected clips \(B, T, 3, H, W\) in \[0, 1\], got"):
        check_video("FVD", shape)


def test_clips_of_another_size() -> None:
    with pytest.raises(
        UserError, match=r"expected clips of \(2, 3, 8, 8\) like those before, got \(2, 3, 9, 8\)"
    ):
        check_video("FVD", (1, 2, 3, 9, 8), (2, 3, 8, 8))
