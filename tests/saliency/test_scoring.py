"""Scores of maps against definitions in loops."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from transporter.saliency.scoring import (
    average_precision,
    best_iou,
    covered,
    fixed_threshold,
    iou,
    pointing,
)


def _precision(scores: np.ndarray, truth: np.ndarray) -> float:
    """The sum over thresholds of what recall gains, times precision."""
    total, before = 0.0, 0.0
    for threshold in sorted(set(scores), reverse=True):
        above = scores >= threshold
        recall = (above & truth).sum() / truth.sum()
        total += (recall - before) * (above & truth).sum() / above.sum()
        before = recall
    return total


@pytest.fixture
def drawn() -> tuple[torch.Tensor, torch.Tensor]:
    """Scores of few values, so that many are equal, and truth."""
    draws = torch.Generator().manual_seed(0)
    scores = torch.randn(5, 40, generator=draws).round(decimals=0)
    return scores, torch.rand(5, 40, generator=draws) < 0.3


def test_average_precision_is_its_definition(drawn: tuple[torch.Tensor, torch.Tensor]) -> None:
    scores, truth = drawn
    expected = [_precision(*pair) for pair in zip(scores.numpy(), truth.numpy(), strict=True)]
    assert average_precision(scores, truth).numpy() == pytest.approx(expected)


def test_a_constant_map_has_the_base_rate(drawn: tuple[torch.Tensor, torch.Tensor]) -> None:
    _, truth = drawn
    found = average_precision(torch.zeros(5, 40), truth)
    assert torch.allclose(found, truth.float().mean(1))


def test_overlap_is_best_at_the_best_threshold(drawn: tuple[torch.Tensor, torch.Tensor]) -> None:
    scores, truth = drawn
    for clip in range(5):
        overlaps = [
            float(iou(scores[clip : clip + 1], truth[clip : clip + 1], float(value) - 0.5))
            for value in scores[clip].unique()
        ]
        found = best_iou(scores[clip : clip + 1], truth[clip : clip + 1])
        assert float(found) == pytest.approx(max(overlaps))
    near = truth + 0.01 * torch.randn(5, 40)
    assert iou(near, truth, fixed_threshold(near, truth)).mean() > 0.9


def test_a_clip_without_the_thing_has_no_score() -> None:
    truth = torch.zeros(2, 4, dtype=torch.bool)
    truth[1] = True
    assert average_precision(torch.randn(2, 4), truth).isnan().all()
    assert best_iou(torch.randn(2, 4), truth).isnan().all()


def test_pointing_counts_the_frames_that_show_the_thing() -> None:
    truth = torch.tensor([[[0, 1], [1, 0], [0, 0]]], dtype=torch.bool)
    scores = torch.tensor([[[0.0, 1.0], [0.0, 1.0], [1.0, 0.0]]])
    assert pointing(scores, truth).tolist() == [0.5]


def test_a_mask_is_brought_to_tokens() -> None:
    mask = torch.zeros(1, 9, 4, 4, dtype=torch.bool)
    mask[:, 0] = True  # the first frame is a latent frame of its own
    mask[:, 1:3, :2, :2] = True
    found = covered(mask, (3, 2, 2))
    assert found[0, 0].eq(1).all()
    assert found[0, 1].tolist() == [[0.5, 0], [0, 0]]
    assert not found[0, 2].any()
