"""Rulers against what was rendered."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
import torch

from microworld.attributes import HUES, WORDS, Attributes
from microworld.renderer import BOUNCES, FRAMES, PATH, RADIUS, SIZE, TURNS
from microworld.rulers.analytic import AnalyticProbes

CLIPS = 64
PLAIN = Attributes("circle", float(HUES[0]), 0.5, "right", 0.5, "grass", 1.0)


def targets(clips: list[Attributes], name: str) -> torch.Tensor:
    return torch.from_numpy(np.stack([a.probabilities(name) for a in clips])).float()


@pytest.fixture(scope="module")
def measured(clips: tuple) -> tuple:
    return clips[0], AnalyticProbes().measure(clips[1]), AnalyticProbes().probabilities(clips[1])


@pytest.mark.parametrize("name", WORDS)
def test_rulers_read_every_word(measured: tuple, accuracy: Callable[..., float], name: str) -> None:
    drawn, _, read = measured
    assert (
        accuracy(drawn, read, name) >= 0.98
    )  # 200 clips: 1.00 for every attribute, seen or held out


@pytest.mark.parametrize("name", WORDS)
def test_rulers_follow_the_linear_rule(measured: tuple, name: str) -> None:
    drawn, _, read = measured
    worst = (read[name] - targets(drawn, name)).abs().amax(1)
    assert worst.mean() < 0.03  # 200 clips: at most 0.014, of the ground


@pytest.mark.parametrize(("name", "bar"), [("size", 0.03), ("speed", 0.02), ("time", 0.01)])
def test_rulers_measure_degrees(measured: tuple, name: str, bar: float) -> None:
    drawn, read, _ = measured
    error = read[name] - torch.tensor([getattr(a, name) for a in drawn])
    assert error.abs().mean() < bar
    assert error.mean().abs() < bar


def test_hue_is_measured_on_the_circle(measured: tuple) -> None:
    drawn, read, _ = measured
    error = (read["hue"] - torch.tensor([a.hue for a in drawn]) + 0.5) % 1 - 0.5
    assert error.abs().max() < 0.005


def test_rows_are_distributions(measured: tuple) -> None:
    for name, values in measured[2].items():
        assert values.shape == (CLIPS, len(WORDS[name]))
        assert values.min() >= 0
        torch.testing.assert_close(values.sum(1), torch.ones(CLIPS))


@pytest.mark.parametrize("name", ["size", "speed", "time"])
@pytest.mark.parametrize("motion", ["left", "down", "bounces", "spins"])
@pytest.mark.parametrize("shape", WORDS["shape"])
def test_degrees_rise_with_the_truth(
    video_of: Callable[..., torch.Tensor], name: str, motion: str, shape: str
) -> None:
    base = dataclasses.replace(PLAIN, motion=motion, shape=shape)
    steps = [dataclasses.replace(base, **{name: float(degree)}) for degree in np.linspace(0, 1, 6)]
    degrees = AnalyticProbes().measure(video_of(*steps))[name]
    assert (degrees.diff() > 0.04).all()
    assert degrees[0] < 0.1
    assert degrees[-1] > 0.9


def test_measurements_are_in_pixels_and_turns(video_of: Callable[..., torch.Tensor]) -> None:
    read = AnalyticProbes().measure(
        video_of(
            *(dataclasses.replace(PLAIN, motion=m) for m in ("right", "up", "bounces", "spins"))
        )
    )
    middle = [sum(ends) / 2 for ends in (PATH, RADIUS, BOUNCES, TURNS)]
    assert read["dx"][0].item() == pytest.approx(middle[0], abs=0.5)
    assert read["dy"][1].item() == pytest.approx(-middle[0], abs=0.5)
    assert read["radius"].tolist() == pytest.approx([middle[1]] * 4, abs=0.3)
    assert read["bounces"][2].item() == pytest.approx(middle[2], abs=0.05)
    assert read["turns"][3].item() == pytest.approx(middle[3], abs=0.03)


@pytest.mark.parametrize("blur", [3, 5])
def test_rulers_bear_blur_and_noise(
    clips: tuple, accuracy: Callable[..., float], blur: int
) -> None:
    drawn, video = clips[0][:32], clips[1][:32]
    soft = torch.nn.functional.avg_pool2d(
        video.flatten(0, 1), blur, 1, blur // 2, count_include_pad=False
    ).view_as(video)
    noise = 0.02 * torch.randn(soft.shape, generator=torch.Generator().manual_seed(0))
    read = AnalyticProbes().probabilities((soft + noise).clamp(0, 1))
    for name in ("colour", "motion", "ground", "time"):
        assert accuracy(drawn, read, name) >= 0.95, name


@pytest.mark.parametrize(
    "video", [torch.zeros(2, FRAMES, 3, SIZE, SIZE), torch.full((1, FRAMES, 3, SIZE, SIZE), 0.5)]
)
def test_a_clip_without_a_sprite_still_gives_distributions(video: torch.Tensor) -> None:
    for values in AnalyticProbes().probabilities(video).values():
        assert values.isfinite().all()
        torch.testing.assert_close(values.sum(1), torch.ones(len(video)))
