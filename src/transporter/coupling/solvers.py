"""What makes plans of log-weights: rho-OT's own truncated Sinkhorn, and POT's solvers, its
ablations.

Log-weights `(..., N, N)` are minus costs in units of eps, with the logarithm of a prior. A plan has
columns that sum to 1, for a clip's output tokens are barycentres under them. `scaled_plan` stops
after a few scalings, `entropic_plan` goes on until rows sum to 1 as well, `exact_plan` leaves the
entropy out.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import ot
import torch

from transporter.coupling.settings import TransportSettings

Solve = Callable[[torch.Tensor], torch.Tensor]
"""Log-weights `(..., N, N)` to plans of that shape, rows Omega_1, columns Omega_2."""
TOLERANCE, MOST_SCALINGS = 1e-6, 1000
"""Where POT's Sinkhorn stops: the error of the rows' sums, of a plan whose entries sum to 1, or
this many scalings.
"""
MOST_PIVOTS = 10_000_000
"""Of POT's network simplex, which takes less than 100,000 for 1,024 tokens."""


def scaled_plan(score: torch.Tensor, scaling_steps: int) -> torch.Tensor:
    """`exp(score)` `(..., N, N)` with columns scaled to sum 1, then rows and columns in turn
    `scaling_steps` times (in logs).
    """
    log_plan = score.log_softmax(-2)
    for _ in range(scaling_steps):
        log_plan = log_plan.log_softmax(-1).log_softmax(-2)
    return log_plan.exp()


def entropic_plan(score: torch.Tensor) -> torch.Tensor:
    """The doubly stochastic plan of most `sum T (score - log T)`, by POT's batched Sinkhorn in
    logs.

    Gradients go through every scaling, so that memory grows with their number. Plans of one call
    stop together, when the slowest has reached `TOLERANCE`.
    """
    count = score.shape[-1]
    solved = ot.solve_batch(
        -score.flatten(0, -3),
        reg=1.0,
        method="log_sinkhorn",
        max_iter=MOST_SCALINGS,
        tol=TOLERANCE,
        grad="autodiff",
    )
    return solved.plan.view_as(score) * count  # POT's plans sum to 1 in all


def exact_plan(score: torch.Tensor, scaling_steps: int) -> torch.Tensor:
    """The matching of most `sum T score`, by POT's network simplex, one after another.

    A matching stays the same under small changes, so its own gradient is zero. Where one is asked
    for, that of `scaled_plan` takes its place (straight through).

    POT's batched solver without entropy is no choice: in its version 0.9.7 the sign of the proximal
    term is the wrong one, and plans alternate between two, neither of them the optimum.
    """
    matched = torch.stack([_matching(one) for one in score.detach().flatten(0, -3)]).view_as(score)
    if not torch.is_grad_enabled():
        return matched
    soft = scaled_plan(score, scaling_steps)
    return matched + (soft - soft.detach())


def _matching(score: torch.Tensor) -> torch.Tensor:
    """The permutation matrix of most `sum T score`, `(N, N)` to the same."""
    ones = score.new_ones(len(score), dtype=torch.double)
    return ot.emd(ones, ones, -score.double(), numItermax=MOST_PIVOTS).to(score.dtype)


def solver(settings: TransportSettings) -> Solve:
    """What makes plans with these settings."""
    solvers: dict[str, Solve] = {
        "scaling": partial(scaled_plan, scaling_steps=settings.scaling_steps),
        "entropic": entropic_plan,
        "exact": partial(exact_plan, scaling_steps=settings.scaling_steps),
    }
    return solvers[settings.solver]
