from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from transporter.baselines.targets import VLMTarget
from transporter.baselines.terms import coherence, jaccard, l2, patch_prior, priming


def vector(seed: int, size: int = 9) -> torch.Tensor:
    return torch.randn(size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@given(st.integers(0, 10_000), st.floats(1e-3, 1.0))
def test_jaccard_identities(seed: int, scale: float) -> None:
    a, b = vector(seed), vector(seed + 1)
    torch.testing.assert_close(jaccard(a, a), torch.tensor(1.0, dtype=torch.float64))
    torch.testing.assert_close(jaccard(a, b), jaccard(b, a))
    torch.testing.assert_close(jaccard(scale * a, scale * b), jaccard(a, b))
    assert float(jaccard(a, scale * a)) == pytest.approx(scale)
    assert float(jaccard(a, -a)) == pytest.approx(0)
    assert 0 <= float(jaccard(a, b)) <= 1


def test_jaccard_of_indicator_vectors_is_that_of_sets() -> None:
    a, b = torch.tensor([1.0, 1, 1, 0, 0, 0]), torch.tensor([0.0, 1, 1, 1, 1, 0])
    assert float(jaccard(a, b)) == pytest.approx(2 / 5)
    assert float(jaccard(torch.zeros(3), torch.zeros(3))) == 1
    assert float(jaccard(torch.zeros(3), torch.ones(3))) == pytest.approx(0)


def test_jaccard_by_hand_with_signs() -> None:
    # minima: 1 (first), 0, 2 (third, both negative); maxima: 3, 1 + 2 (signs differ), 4
    a, b = torch.tensor([1.0, 1, -2]), torch.tensor([3.0, -2, -4])
    assert float(jaccard(a, b)) == pytest.approx(3 / 10)


def test_priming_gradient_by_finite_differences(vlm_target: VLMTarget) -> None:
    generator = torch.Generator().manual_seed(1)
    stimulus, video = (
        torch.rand(1, 4, 3, 8, 8, generator=generator, dtype=torch.float64) for _ in range(2)
    )
    primed = {
        name: feature.mean() for name, feature in vlm_target.respond(stimulus).features.items()
    }
    video.requires_grad_()

    def value(clip: torch.Tensor) -> torch.Tensor:
        return priming(vlm_target.respond(clip), primed, 10.0)

    value(video).backward()
    for seed in range(5):
        direction = torch.randn(
            video.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
        )
        with torch.no_grad():
            difference = (value(video + 1e-6 * direction) - value(video - 1e-6 * direction)) / 2e-6
        assert float((video.grad * direction).sum()) == pytest.approx(float(difference), rel=1e-5)


def test_priming_of_the_stimulus_is_zero_and_weighs_layers(vlm_target: VLMTarget) -> None:
    clip = torch.rand(1, 4, 3, 8, 8)
    response = vlm_target.respond(clip)
    own = {name: feature.mean() for name, feature in response.features.items()}
    assert float(priming(response, own, 10.0)) == pytest.approx(0, abs=1e-6)
    # each layer's negative has similarity 0: what is left is the mean multiplier, (10 + 11) / 2
    negated = {name: -mean for name, mean in own.items()}
    assert float(priming(response, negated, 10.0)) == pytest.approx(10.5, rel=1e-5)


def test_temporal_coherence_of_constructed_embeddings() -> None:
    still = torch.ones(3, 4)
    # two consecutive pairs at 0, and one other pair that should be apart by the margin and is not
    # at all
    assert float(coherence(still, 0.6)) == pytest.approx(0.6 / 3)
    moving = torch.tensor([0.0, 0.5, 1.0])[:, None].expand(3, 4)
    assert float(coherence(moving, 0.6)) == pytest.approx((0.5 + 0.5) / 3)
    assert float(coherence(moving, 1.5)) == pytest.approx((0.5 + 0.5 + 0.5) / 3)
    assert float(coherence(still[:1], 1.0)) == 0


def test_coherence_moves_the_ends_apart_and_neighbours_together() -> None:
    frames = torch.tensor([0.0, 0.8, 0.4])[:, None].expand(3, 2).clone().requires_grad_()
    coherence(frames, 1.0).backward()
    first, middle, last = (
        -frames.grad[:, 0]
    ).tolist()  # descent: away from each other, towards the middle's neighbours
    assert middle < 0 < last
    assert first == pytest.approx(0, abs=1e-7)  # drawn to the middle as much as pushed off the last


def test_patch_prior_is_zero_on_a_constant_and_sees_borders_alone() -> None:
    assert float(patch_prior(torch.full((1, 4, 3, 8, 8), 0.3), (2, 4, 4))) == 0
    within = torch.zeros(1, 1, 3, 8, 8)
    within[..., 1:3, 1:3] = 1  # inside a patch of 4 x 4
    assert float(patch_prior(within, (2, 4, 4))) == 0
    step = torch.zeros(1, 4, 3, 8, 8)
    step[..., 4:] = 0.5  # one of three borders: time, rows, columns
    assert float(patch_prior(step, (2, 4, 4))) == pytest.approx(0.5 / 3)
    assert float(patch_prior(step, (4, 8, 8))) == 0


def test_patch_prior_has_a_finite_gradient_on_a_constant() -> None:
    video = torch.full((1, 4, 3, 8, 8), 0.3, requires_grad=True)
    patch_prior(video, (2, 4, 4)).backward()
    assert video.grad.isfinite().all()


def test_l2_is_the_norm_around_mid_grey() -> None:
    assert float(l2(torch.full((1, 2, 3, 4, 4), 0.5))) == 0
    assert float(l2(torch.ones(1, 2, 3, 4, 4))) == pytest.approx((2 * 3 * 16) ** 0.5)
