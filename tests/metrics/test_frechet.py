"""The Fréchet distance against SciPy, a closed form and published values; FVD's invariants and its
protocol.
"""

from __future__ import annotations

import doctest
import json
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import sqrtm

from microworld.clip_judge import ClipJudge
from transporter.metrics import frechet
from transporter.metrics.frechet import (
    Features,
    FrechetVideoDistance,
    frechet_distance,
    i3d_features,
    two_of_each,
)
from transporter.support.errors import Unavailable, UserError


def features(count: int, width: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(width, width, generator=generator, dtype=torch.float64)
    return torch.randn(count, width, generator=generator, dtype=torch.float64) @ mixing + seed


def fvd(
    network: Features, real: torch.Tensor, generated: torch.Tensor, batch: int = 100
) -> FrechetVideoDistance:
    metric = FrechetVideoDistance(network, stride=1)
    for videos, are_real in ((real, True), (generated, False)):
        for some in videos.split(batch):
            metric.update(some, real=are_real)
    return metric


def value(metric: FrechetVideoDistance) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return next(iter(metric.compute().values()))


def test_examples() -> None:
    assert doctest.testmod(frechet).failed == 0


@given(
    seed=st.integers(0, 1000),
    width=st.integers(1, 6),
    counts=st.tuples(st.integers(8, 40), st.integers(8, 40)),
)
def test_equals_the_definition_with_scipys_root(
    seed: int, width: int, counts: tuple[int, int]
) -> None:
    x, y = features(counts[0], width, seed), features(counts[1], width, seed + 1)
    s_1, s_2 = (np.atleast_2d(np.cov(z.numpy(), rowvar=False)) for z in (x, y))
    expected = float((x.mean(0) - y.mean(0)).square().sum()) + np.trace(
        s_1 + s_2 - 2 * sqrtm(s_1 @ s_2).real
    )
    assert float(frechet_distance(x, y)) == pytest.approx(expected, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("count", [3, 30])
def test_shift_and_scale_have_a_closed_form(count: int) -> None:
    """Also with fewer clips than features: of x and a x + b it is |mu - a mu - b|^2 + (1 - a)^2 Tr
    S.
    """
    x, shift = features(count, 10), torch.arange(10.0, dtype=torch.float64)
    expected = (x.mean(0) - 3 * x.mean(0) - shift).square().sum() + 4 * x.var(0).sum()
    torch.testing.assert_close(frechet_distance(x, 3 * x + shift), expected)


@given(seed=st.integers(0, 1000), counts=st.tuples(st.integers(2, 12), st.integers(2, 12)))
def test_identical_sets_symmetry_order_and_rotation(seed: int, counts: tuple[int, int]) -> None:
    x, y = features(counts[0], 5, seed), features(counts[1], 5, seed + 1)
    size = float(x.square().sum() + y.square().sum())
    distance = float(frechet_distance(x, y))
    assert float(frechet_distance(x, x)) == pytest.approx(0, abs=1e-12 * size)
    turned, _ = torch.linalg.qr(features(5, 5, seed + 2))
    for same in ((y, x), (x.flip(0), y.roll(1, 0)), (x @ turned, y @ turned)):
        assert float(frechet_distance(*same)) == pytest.approx(distance, abs=1e-12 * size)


def test_a_single_clip_leaves_the_distance_out() -> None:
    """By its reason, which a table of scores goes on without."""
    two_of_each(2, 2)
    for counts in ((1, 9), (9, 1)):
        with pytest.raises(Unavailable, match=f"2 of each system, got {counts[0]} and {counts[1]}"):
            two_of_each(*counts)


def test_published_value_of_real_clips(golden, reference: Path) -> None:
    """Even against odd clips, by name."""
    expected = json.loads((reference / "golden" / "frechet.json").read_text())[
        "frechet_even_vs_odd_clips"
    ]
    logits = torch.from_numpy(golden.logits)
    assert float(frechet_distance(logits[::2], logits[1::2])) == pytest.approx(expected, rel=1e-6)


def test_fvd_of_zeros_and_ones(weights: Callable[[str], Path]) -> None:
    """Published: 151.2565 with StyleGAN-V's features, 151.3924 with TensorFlow's, for 8 clips of 30
    frames, 64 x 64.
    """
    network = i3d_features(weights("i3d"))
    zeros = torch.zeros(1, 30, 3, 64, 64)
    # equal clips have equal features: two stand for eight
    with torch.no_grad():
        dark, bright = network.of(zeros), network.of(zeros + 1)
    assert float(frechet_distance(dark.expand(2, -1), bright.expand(2, -1))) == pytest.approx(
        151.2565, rel=5e-3
    )


@pytest.fixture
def features_of_judge(judge: ClipJudge) -> Features:
    return Features("clip_judge", judge.features, "0123456789abcdef")


def test_invariants_with_the_judges_features(features_of_judge: Features, clips) -> None:
    real, generated = clips(6), clips(5, seed=1) * 0.5
    first = value(fvd(features_of_judge, real, generated))
    assert first > 1
    assert value(fvd(features_of_judge, real, generated, batch=2)) == pytest.approx(first, rel=1e-4)
    assert value(fvd(features_of_judge, real.flip(0), generated.roll(2, 0))) == pytest.approx(
        first, rel=1e-4
    )
    assert value(fvd(features_of_judge, real, real)) == pytest.approx(0, abs=1e-4)


def test_few_clips_warn_and_the_protocol_tells_frames_size_and_features(
    features_of_judge: Features, clips
) -> None:
    metric = fvd(features_of_judge, clips(3), clips(2, seed=1))
    with pytest.warns(
        UserWarning, match="FVD of 3 real and 2 generated clips: below 256 it is inflated"
    ):
        assert metric.compute().keys() == {"fvd_clip_judge"}
    assert metric.numbers == {"fvd_clip_judge": "lower"}
    assert metric.counts() == (3, 2)
    assert metric.protocol() == {
        "frames": 17,
        "stride": 1,
        "size": "64x64",
        "features": "clip_judge",
        "hash": "0123456789abcdef",
    }


def test_256_clips_do_not_warn() -> None:
    means = Features("mean", lambda video: video.mean((3, 4)).flatten(1), "0")
    video = torch.rand(256, 1, 3, 2, 2, generator=torch.Generator().manual_seed(0))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert fvd(means, video, video).compute()["fvd_mean"] == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(("real", "generated"), [(0, 3), (3, 0), (1, 3), (3, 1)])
def test_too_few_clips(features_of_judge: Features, clips, real: int, generated: int) -> None:
    metric = (
        fvd(features_of_judge, clips(3)[:real], clips(3)[:generated])
        if real and generated
        else FrechetVideoDistance(features_of_judge, stride=1)
    )
    with warnings.catch_warnings(), pytest.raises(UserError, match="FVD: expected"):
        warnings.simplefilter("ignore", UserWarning)
        metric.compute()
