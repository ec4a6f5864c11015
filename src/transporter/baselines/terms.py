"""Terms of the loss beside the target: priors of videos, and LEAPS's priming by a stimulus."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch

from transporter.baselines.targets import Response


def multipliers(count: int, first: float) -> list[float]:
    """lambda_l of `count` layers, as in LEAPS's published code: `first` for the first layer, then
    `1 + first / l` for l = 1, 2, ...
    """
    return [first if layer == 0 else 1 + first / layer for layer in range(count)]


@dataclass(frozen=True)
class Moment:
    """One step of the loop: the clip as the networks see it, `(1, T, C, H, W)` in [0, 1], and the
    attacked network's response.
    """

    video: torch.Tensor
    response: Response


@dataclass(frozen=True)
class Term:
    """A scalar that is minimised with a weight, from some share of the steps on."""

    value: Callable[[Moment], torch.Tensor]
    weight: float
    begins: float = 0.0


def jaccard(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Jaccard vector similarity of vectors `(..., C)`, in [0, 1]: the sum of minima over the sum of
    maxima.

    **Ours:** positive and negative parts count as channels of their own, since activations have
    signs; for vectors without negative entries this is the generalised Jaccard index. Two vectors
    of zeros have similarity 1.
    """
    a, b = (torch.cat([vector.clamp_min(0), (-vector).clamp_min(0)], -1) for vector in (a, b))
    tiny = torch.finfo(a.dtype).tiny
    return (torch.minimum(a, b).sum(-1) + tiny) / (torch.maximum(a, b).sum(-1) + tiny)


def priming(response: Response, stimulus: Mapping[str, torch.Tensor], first: float) -> torch.Tensor:
    """LEAPS's L_prim as a distance: `1/L sum_l lambda_l (1 - JVS(mu(z_l(x)), mu(z_l(v))))`.

    `stimulus` has mu(z_l(v)) `(C,)` of every layer of the response; `first` sets lambda
    (`multipliers`).
    """
    weights = multipliers(len(response.features), first)
    distances = [
        1 - jaccard(feature.mean(), stimulus[name]) for name, feature in response.features.items()
    ]
    return sum(
        weight * distance for weight, distance in zip(weights, distances, strict=True)
    ) / len(weights)


def coherence(frames: torch.Tensor, margin: float) -> torch.Tensor:
    """LEAPS's temporal coherence of embeddings `(S, D)`: consecutive ones close, all others at
    least `margin` apart.

    Mean over pairs of `||z_s - z_t||_1 / D`, or of `max(0, margin - ||z_s - z_t||_1 / D)` for pairs
    that are not consecutive; 0 for a single step.
    """
    s, t = torch.triu_indices(len(frames), len(frames), 1, device=frames.device)
    if len(s) == 0:
        return frames.sum() * 0
    distance = (frames[s] - frames[t]).abs().mean(1)
    return torch.where(t - s == 1, distance, (margin - distance).clamp_min(0)).mean()


def patch_prior(video: torch.Tensor, patch: tuple[int, int, int]) -> torch.Tensor:
    """GradViT's patch prior carried to video: jumps across patch borders in time, height and width
    of `(1, T, C, H, W)`.

    Root mean square of each border's jump, mean over the borders; 0 where there is no border.
    """
    jumps = []
    for axis, size in zip((1, 3, 4), patch, strict=True):
        after = torch.tensor(
            range(size, video.shape[axis], size), dtype=torch.long, device=video.device
        )
        jump = video.index_select(axis, after) - video.index_select(axis, after - 1)
        across = jump.movedim(axis, 0).flatten(1)  # (borders, values on each)
        jumps.append(across.norm(dim=1) / max(1, across.shape[1]) ** 0.5)
    jumps = torch.cat(jumps)
    return jumps.mean() if len(jumps) else video.sum() * 0


def l2(video: torch.Tensor) -> torch.Tensor:
    """Euclidean norm of a clip in [0, 1], measured in [-1, 1]: mid-grey has none."""
    return (2 * video - 1).norm()
