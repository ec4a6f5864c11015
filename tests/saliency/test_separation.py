"""Scores of heads, against their definitions in float64, one head and one token at a time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from transporter.saliency.separation import SCORES, head_weights

F, P, D = 4, 5, 3


def _definition_of_chi(h: np.ndarray, frames: np.ndarray) -> float:
    mean, between, within = h.mean(0), 0.0, 0.0
    for frame in range(F):
        part = h[frames == frame]
        between += len(part) * ((part.mean(0) - mean) ** 2).sum()
        within += ((part - part.mean(0)) ** 2).sum()
    return (between / (F - 1)) / (within / (len(h) - F))


def _definition_of_silhouette(h: np.ndarray, frames: np.ndarray) -> float:
    found = []
    for token, own in zip(h, frames, strict=True):
        apart = np.linalg.norm(h - token, axis=1)
        inside = apart[frames == own].sum() / ((frames == own).sum() - 1)
        outside = min(apart[frames == other].mean() for other in range(F) if other != own)
        found.append((outside - inside) / max(outside, inside))
    return float(np.mean(found))


def _definition_of_davies_bouldin(h: np.ndarray, frames: np.ndarray) -> float:
    means = [h[frames == frame].mean(0) for frame in range(F)]
    spread = [np.linalg.norm(h[frames == f] - means[f], axis=1).mean() for f in range(F)]
    worst = [
        max(
            (spread[i] + spread[j]) / np.linalg.norm(means[i] - means[j])
            for j in range(F)
            if i != j
        )
        for i in range(F)
    ]
    return -float(np.mean(worst))


def _definition_of_fisher(h: np.ndarray, frames: np.ndarray) -> float:
    means = np.stack([h[frames == frame].mean(0) for frame in range(F)])
    within = np.mean([h[frames == f].var(0) for f in range(F)], axis=0)
    return float((means.var(0) / within).mean())


DEFINITIONS = {
    "chi": _definition_of_chi,
    "silhouette": _definition_of_silhouette,
    "davies_bouldin": _definition_of_davies_bouldin,
    "fisher": _definition_of_fisher,
}


@pytest.fixture(scope="module")
def h() -> torch.Tensor:
    """Heads that keep frames apart more and more, far from zero: `(2, 6, F P, D)`."""
    draws = torch.Generator().manual_seed(0)
    noise = torch.randn(2, 6, F * P, D, generator=draws)
    apart = torch.randn(2, 6, F, D, generator=draws).repeat_interleave(P, 2)
    return 20 + noise + torch.linspace(0, 2, 6).view(1, 6, 1, 1) * apart


@pytest.mark.parametrize(("name", "definition"), DEFINITIONS.items())
def test_scores_are_their_definitions(
    h: torch.Tensor, name: str, definition: Callable[[np.ndarray, np.ndarray], float]
) -> None:
    frames = np.arange(F).repeat(P)
    expected = [[definition(head.double().numpy(), frames) for head in clip] for clip in h]
    found = SCORES[name](h, F)
    assert found.numpy() == pytest.approx(np.array(expected), rel=1e-5)
    assert found.argsort(1).tolist() == np.argsort(expected, 1).tolist()


def test_the_best_heads_share_the_weight(h: torch.Tensor) -> None:
    draws = torch.Generator().manual_seed(0)
    weights = head_weights(h, F, "chi", 2, draws)
    best = SCORES["chi"](h, F).topk(2, dim=1).indices
    assert torch.equal(weights.gather(1, best), torch.full((2, 2), 0.5))
    assert torch.equal(weights.sum(1), torch.ones(2))
    assert torch.equal(head_weights(h, F, "all", 2, draws), torch.full((2, 6), 1 / 6))
    drawn = head_weights(h, F, "random", 2, draws)
    assert torch.equal((drawn > 0).sum(1), torch.tensor([2, 2]))
