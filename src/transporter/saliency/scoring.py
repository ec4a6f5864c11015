"""How well maps find what masks say: average precision, overlap, pointing.

Scores `(B, N)` are of N places of B clips, truth `(B, N)` is bool; a number is `(B,)`, nan for a
clip whose truth is the same everywhere, and for one that has no scores.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

PRESENT = 0.25
"""A token shows a thing that covers more than this share of its pixels and frames."""


def average_precision(scores: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """The mean over positives of the precision at their score; places of equal score count
    together, so that a constant map has the base rate.
    """
    order = scores.argsort(dim=1, descending=True)
    ordered, found = scores.gather(1, order), truth.gather(1, order)
    # how many places have at least this score
    places = torch.searchsorted(-ordered.contiguous(), -ordered, right=True)
    precision = found.cumsum(1).gather(1, places - 1) / places
    return _known(scores, truth, (precision * found).sum(1) / found.sum(1))


def best_iou(scores: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Intersection over union at the threshold that is best for each clip."""
    order = scores.argsort(dim=1, descending=True)
    ordered, found = scores.gather(1, order), truth.gather(1, order)
    places = torch.searchsorted(-ordered.contiguous(), -ordered, right=True)
    both = found.cumsum(1).gather(1, places - 1)
    return _known(scores, truth, (both / (places + truth.sum(1, keepdim=True) - both)).amax(1))


def iou(scores: torch.Tensor, truth: torch.Tensor, threshold: float) -> torch.Tensor:
    """Intersection over union at one threshold for all clips."""
    above = scores > threshold
    union = (above | truth).sum(1).clamp_min(1)
    return _known(scores, truth, (above & truth).sum(1) / union)


def fixed_threshold(scores: torch.Tensor, truth: torch.Tensor) -> float:
    """The threshold, among quantiles of all scores, whose mean intersection over union is best."""
    tried = scores.flatten().quantile(torch.linspace(0.02, 0.98, 49, device=scores.device))
    found = torch.stack([iou(scores, truth, float(value)).nanmean() for value in tried])
    return float(tried[found.argmax()])


def pointing(scores: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """The share of frames in which the highest token lies on the thing, `(B,)`, of `(B, F, P)`
    each; frames without the thing do not count.
    """
    hit = truth.gather(2, scores.argmax(2, keepdim=True))[..., 0]
    there = truth.any(2)
    found = (hit & there).sum(1) / there.sum(1)
    return found.where(scores.flatten(1).isfinite().all(1), torch.nan)


def rank_correlation(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Spearman's, of places `(B, N)` and those of other scores; equal ones in any order."""
    ranks = [scores.argsort(1).argsort(1).float() for scores in (one, other)]
    centred = [some - some.mean(1, keepdim=True) for some in ranks]
    norms = [some.square().sum(1).sqrt() for some in centred]
    found = (centred[0] * centred[1]).sum(1) / (norms[0] * norms[1])
    return found.where(one.isfinite().all(1) & other.isfinite().all(1), torch.nan)


def top_overlap(one: torch.Tensor, other: torch.Tensor, share: float) -> torch.Tensor:
    """Intersection over union of the highest `share` of places of both scores `(B, N)`."""
    first, second = highest(one, share), highest(other, share)
    both, either = (first & second).sum(1), (first | second).sum(1)
    return (both / either).where(one.isfinite().all(1) & other.isfinite().all(1), torch.nan)


def highest(scores: torch.Tensor, share: float) -> torch.Tensor:
    """Where the highest `share` of places of scores `(B, N)` is, bool."""
    top = scores.topk(round(share * scores.shape[1]), dim=1).indices
    return torch.zeros_like(scores, dtype=torch.bool).scatter(1, top, True)


def _known(scores: torch.Tensor, truth: torch.Tensor, numbers: torch.Tensor) -> torch.Tensor:
    comparable = truth.any(1) & ~truth.all(1) & scores.isfinite().all(1)
    return numbers.where(comparable, torch.nan)


def covered(mask: torch.Tensor, grid: tuple[int, int, int]) -> torch.Tensor:
    """How much of every token a mask covers, `(B, T, H, W)` to `(B, F, h, w)` in [0, 1]."""
    return averaged(mask.float(), grid)


def averaged(values: torch.Tensor, grid: tuple[int, int, int]) -> torch.Tensor:
    """The mean of every token's pixels and frames, `(B, T, H, W)` to `(B, F, h, w)`.

    Of a causal VAE the first latent frame holds one frame, the others equally many.
    """
    frames = grid[0]
    if frames > 1 and (values.shape[1] - 1) % (frames - 1) == 0:
        rest = values[:, 1:].unflatten(1, (frames - 1, -1)).mean(2)
        values = torch.cat([values[:, :1], rest], 1)
    return F.adaptive_avg_pool3d(values[:, None], grid)[:, 0]
