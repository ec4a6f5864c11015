"""How far two clouds of points are apart, whatever their order: the sliced Wasserstein distance
(Bonneel et al. 2015). POT's own `sliced_wasserstein_distance` takes one pair of clouds at a time;
this is the same for many pairs at once.
"""

from __future__ import annotations

import ot
import torch


def directions(dim: int, count: int, seed: int = 0) -> torch.Tensor:
    """Unit vectors `(dim, count)` in float64, drawn evenly; the same ones for a seed on every
    machine.
    """
    return torch.from_numpy(ot.sliced.get_random_projections(dim, count, seed))


def sliced_wasserstein(
    clouds: torch.Tensor, others: torch.Tensor, along: torch.Tensor
) -> torch.Tensor:
    """The sliced 2-Wasserstein distance of n pairs of clouds, in the points' own units.

    The root of the mean over directions of the squared 2-Wasserstein distance of both clouds'
    projections; 0 for clouds that differ in order alone.

    Args:
        clouds: `(n, N, D)`.
        others: `(n, M, D)`.
        along: unit vectors `(D, P)`, as `directions` gives them.

    Returns:
        `(n,)`.
    """
    along = along.to(clouds)
    projected = (
        (points @ along).permute(1, 0, 2).flatten(1) for points in (clouds, others)
    )  # (N, n * P) and (M, n * P)
    squares = ot.wasserstein_1d(*projected, p=2).view(len(clouds), -1)  # (n, P)
    return squares.mean(1).sqrt()
