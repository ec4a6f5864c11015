"""Sliced Gromov-Wasserstein matchings (Vayer et al. 2019), the paper's ablation of rho-OT.

Gromov-Wasserstein compares distances within a set with distances within the other: of all matchings
s it wants the least `sum_ik ((a_i - a_k)^2 - (b_s(i) - b_s(k))^2)^2`. On a line, Vayer et al.
(Theorem 3.1) find it in the sorted or the reversed order.

- An optimum over all plans is a matching: the part of the sum that a plan T can change, `- 4 n
  sum_ij T_ij a_i^2 b_j^2
  - 8 (sum_ij T_ij a_i b_j)^2` for centred a and b, is concave in T.
- That one of both orders reaches it does not hold for every set. For each n above 6 there are
  points where neither does (Beinert, Heiss and Steidl 2022): with a near -1, 0 (n - 2 times), 1 and
  b near -1, -1, 0 (n - 2 times), both ends of a go to b's pair. No such points turned up for n up
  to 6, in a million tries, nor among normally distributed ones.
- So what is here is the better of both orders: a bound from above, and mostly the optimum.

A shift or a mirror image of either set costs nothing, so nothing ties a token to its own place.
"""

from __future__ import annotations

import torch


def _agreement(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """`n sum a^2 b^2 + 2 (sum a b)^2` of points matched in order, `(B, N, P)` to `(B, 1, P)`; the
    larger, the less distorted.
    """
    return (
        a.shape[1] * (a * b).square().sum(1, keepdim=True)
        + 2 * (a * b).sum(1, keepdim=True).square()
    )


def facing(a: torch.Tensor, b: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Projections `(B, N, P)` centred, and b mirrored where the reversed order is the better
    matching.

    After this the sorted order is the better one for all of them; with equal distortions nothing is
    mirrored.
    """
    a, b = a - a.mean(1, keepdim=True), b - b.mean(1, keepdim=True)
    with torch.no_grad():
        x, y = a.sort(dim=1).values, b.sort(dim=1).values
        mirrored = _agreement(x, y.flip(1)) > _agreement(x, y)
    return a, torch.where(mirrored, -b, b)


@torch.no_grad()
def mean_of_matchings(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Mean over r of the permutation matrix that matches a and b in sorted order: `(B, N, P)` twice
    to `(B, N, N)`.

    Rows are a's points and columns b's; both sum to 1. Time is that of sorting, memory N^2 + N P.
    """
    row = a.argsort(dim=1).gather(
        1, b.argsort(dim=1).argsort(dim=1)
    )  # (B, N, P): of every column, the row it is matched with
    share = a.new_full((), 1 / a.shape[-1]).expand(row.shape)
    return (
        a.new_zeros(a.shape[0], a.shape[1], a.shape[1]).scatter_add(2, row, share).transpose(1, 2)
    )
