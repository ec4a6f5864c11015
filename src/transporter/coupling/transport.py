"""rho-OT: learnable entropic optimal transport between the outputs of Phi_1 and Phi_2.

With unit vectors `p1_r`, `p2_r`, the projections `a_ir = <z1_i, p1_r>`, `b_jr = <z2_j, p2_r>` and
the cost `M_ijr = (a_ir - b_jr)^2`, a plan is `exp(-M / eps)`, made doubly stochastic in part, or
what another of `transporter.coupling.solvers` makes of `-M / eps`. Rows are Omega_1, columns
Omega_2, and columns sum to 1, so that output token j is a barycentre under column j and the tokens
keep Omega's order.
"""

from __future__ import annotations

import math
from functools import partial

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint

from transporter.coupling.gromov import facing, mean_of_matchings
from transporter.coupling.settings import TransportSettings
from transporter.coupling.solvers import Solve, scaled_plan, solver
from transporter.support.errors import UserError


def mean_cost(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """`mean_r (a_ir - b_jr)^2` in closed form, `a^2 - 2 a b + b^2`: `(B, N, P)` twice to
    `(B, N, N)`, in memory N^2 + N P.
    """
    squares = a.square().sum(-1)[:, :, None] + b.square().sum(-1)[:, None, :]
    return (squares - 2 * a @ b.transpose(1, 2)) / a.shape[-1]


def _sum_of_plans(
    a: torch.Tensor, b: torch.Tensor, epsilon: torch.Tensor, prior: torch.Tensor, solve: Solve
) -> torch.Tensor:
    cost = (
        a.transpose(1, 2)[..., :, None] - b.transpose(1, 2)[..., None, :]
    ).square()  # (B, projections, N, N)
    return solve(prior - cost / epsilon).sum(1)


def mean_of_plans(
    a: torch.Tensor,
    b: torch.Tensor,
    epsilon: torch.Tensor,
    prior: torch.Tensor,
    solve: Solve,
    at_once: int = 8,
) -> torch.Tensor:
    """Mean over r of one plan per projection: `(B, N, P)` twice and the log-prior `(N, N)` to
    `(B, N, N)`.

    Plans are added up `at_once` at a time and made again in the backward pass, so that memory grows
    with N^2 and not with P N^2.
    """
    total = a.new_zeros(a.shape[0], a.shape[1], b.shape[1])
    for first in range(0, a.shape[-1], at_once):
        some = slice(first, first + at_once)
        arguments = (a[..., some], b[..., some], epsilon, prior, solve)
        total = total + checkpoint(
            _sum_of_plans, *arguments, use_reentrant=False, preserve_rng_state=False
        )
    return total / a.shape[-1]


def sliced_gromov(
    a: torch.Tensor, b: torch.Tensor, epsilon: torch.Tensor, scaling_steps: int, at_once: int = 8
) -> torch.Tensor:
    """Mean over r of one Gromov-Wasserstein matching per projection: `(B, N, P)` twice to
    `(B, N, N)`, without a prior.

    A matching stays the same under small changes, so its own gradient is zero. Where one is asked
    for, that of `mean_of_plans` takes its place (straight through): those plans tend to the same
    matchings with a small eps and many scaling steps.
    """
    a, b = facing(a, b)
    matched = mean_of_matchings(a, b)
    if not torch.is_grad_enabled():
        return matched
    solve = partial(scaled_plan, scaling_steps=scaling_steps)
    soft = mean_of_plans(a, b, epsilon.detach(), a.new_zeros(()), solve, at_once)
    return matched + (soft - soft.detach())


class RhoOT(nn.Module):
    """Merges `z1 = Phi_1(...)` and `z2 = Phi_2(...)` into `z~`, all `(B, N, D)` in standardised
    units.

    `values: z1` is the paper's `z~_j = sum_i T_ij z1_i`. `values: residual` is
    `z~_j = z2_j + g * sum_i T_ij (z1_i - z2_i)` with a learnt gate g per channel, zero at the
    start, and its plan is `exp(stay [i = j] - M / eps)`: optimal transport relative to a plan that
    favours a token's own place, by a learnt amount. Both parts and their mean are members of that
    family (stay large and g = 1, 0 or 1/2), so a trained one has no reason to be worse than the
    better part.

    Both vectors of a pair start equal: only then is the cost of a token to itself small.

    With `aggregate: gromov` T is the mean of sliced Gromov-Wasserstein matchings, the paper's
    ablation; stay has no part in it, and eps, not learnt then, only in the projections' gradient.

    Raises:
        UserError: another solver than `scaling` with `aggregate: gromov`, which needs none.
    """

    def __init__(self, dim: int, projections: int, settings: TransportSettings) -> None:
        super().__init__()
        if settings.aggregate == "gromov" and settings.solver != "scaling":
            raise UserError(
                "coupling.transport.solver: expected scaling with aggregate gromov, whose matchings"
                f" are sorted, got {settings.solver}; leave one of both out"
            )
        self.settings, self.solve = settings, solver(settings)
        start = F.normalize(torch.randn(projections, dim), dim=-1)
        self.p1, self.p2 = nn.Parameter(start), nn.Parameter(start.clone())
        self.log_epsilon = nn.Parameter(torch.tensor(math.log(settings.epsilon)))
        self.stay = nn.Parameter(
            torch.tensor(settings.stay if settings.values == "residual" else 0.0)
        )
        self.gate = nn.Parameter(torch.zeros(dim))

    def plan(self, z1: torch.Tensor, z2: torch.Tensor) -> torch.Tensor:
        """T `(B, N, N)`, rows Omega_1, columns Omega_2; columns sum to 1."""
        a, b = z1 @ F.normalize(self.p1, dim=-1).T, z2 @ F.normalize(self.p2, dim=-1).T
        epsilon, at_once = self.log_epsilon.exp(), self.settings.at_once
        if self.settings.aggregate == "gromov":
            return sliced_gromov(a, b, epsilon, self.settings.scaling_steps, at_once)
        stay = self.stay if self.settings.values == "residual" else torch.zeros_like(self.stay)
        prior = stay * torch.eye(z1.shape[1], dtype=a.dtype, device=a.device)
        if self.settings.aggregate == "costs":
            return self.solve(prior - mean_cost(a, b) / epsilon)
        return mean_of_plans(a, b, epsilon, prior, self.solve, at_once)

    def forward(self, z1: torch.Tensor, z2: torch.Tensor) -> torch.Tensor:
        """`z~` `(B, N, D)`."""
        to_columns = self.plan(z1, z2).transpose(1, 2)
        if self.settings.values == "z1":
            return to_columns @ z1
        return z2 + self.gate * (to_columns @ (z1 - z2))
