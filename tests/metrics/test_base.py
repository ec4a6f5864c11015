"""Numbers come with direction and protocol, and what cannot run says so and is left out."""

from __future__ import annotations

import doctest
from collections.abc import Mapping
from typing import ClassVar

import pytest
import torch

from transporter.metrics import base
from transporter.metrics.base import HIGHER, LOWER, Metric, check_video, make_metrics, results_table
from transporter.metrics.registry import METRICS
from transporter.support.errors import Unavailable, UserError


class Brightness(Metric):
    numbers: ClassVar[Mapping[str, str]] = {"bright": HIGHER}

    def __init__(self) -> None:
        super().__init__()
        self.add_state("total", torch.tensor(0.0), dist_reduce_fx="sum")

    def update(self, video: torch.Tensor) -> None:
        self.total += video.mean()

    def compute(self) -> dict[str, float]:
        return {"bright": float(self.total)}

    def protocol(self) -> dict[str, str | int]:
        return {"clips": 1, "size": "2x2"}


def test_examples() -> None:
    assert doctest.testmod(base).failed == 0


def test_a_number_is_told_with_direction_and_protocol() -> None:
    metric = Brightness()
    metric.update(torch.full((1, 1, 3, 2, 2), 0.25))
    assert [str(result) for result in metric.results()] == [
        "bright 0.25 (higher is better; clips 1, size 2x2)"
    ]
    assert results_table({"any": metric}).to_dict("records") == [
        {"metric": "bright", "value": 0.25, "better": "higher", "protocol": "clips 1, size 2x2"}
    ]


def test_what_cannot_run_is_left_out_aloud() -> None:
    def missing() -> Metric:
        raise Unavailable("there is no java")

    said: list[str] = []
    made = make_metrics({"bright": Brightness, "captions": missing}, said.append)
    assert list(made) == ["bright"]
    assert said == ["captions is left out: there is no java"]


def test_other_mistakes_are_not_passed_over() -> None:
    def wrong() -> Metric:
        raise UserError("a wrong setting")

    with pytest.raises(UserError, match="a wrong setting"):
        make_metrics({"wrong": wrong}, print)


def test_every_metric_declares_what_is_better() -> None:
    names: list[str] = []
    for metric in METRICS.values():
        numbers = getattr(metric, "numbers", {"fvd": LOWER})  # FVD is named after its features
        assert set(numbers.values()) <= {HIGHER, LOWER}
        names += numbers
    assert len(names) == len(set(names))


@pytest.mark.parametrize("shape", [(2, 3, 8, 8), (1, 0, 3, 8, 8), (1, 2, 1, 8, 8)])
def test_no_clips(shape: tuple[int, ...]) -> None:
    with pytest.raises(UserError, match=r"FVD: expected clips \(B, T, 3, H, W\) in \[0, 1\], got"):
        check_video("FVD", shape)


def test_clips_of_another_size() -> None:
    with pytest.raises(
        UserError, match=r"expected clips of \(2, 3, 8, 8\) like those before, got \(2, 3, 9, 8\)"
    ):
        check_video("FVD", (1, 2, 3, 9, 8), (2, 3, 8, 8))
