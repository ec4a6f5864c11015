from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from weakref import WeakSet

import ot
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from transporter.coupling.settings import TransportSettings
from transporter.coupling.solvers import scaled_plan
from transporter.coupling.transport import RhoOT, mean_cost, mean_of_plans

FORMS = [
    (aggregate, values, steps)
    for aggregate in ("costs", "plans")
    for values in ("residual", "z1")
    for steps in (0, 1, 3)
]


def tokens(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def transport(dim: int = 8, projections: int = 5, **changes: object) -> RhoOT:
    torch.manual_seed(3)
    made = RhoOT(dim, projections, TransportSettings(**changes)).double()
    torch.nn.init.normal_(made.gate)
    torch.nn.init.normal_(made.p2)
    return made


def direct_plan(rho: RhoOT, z1: torch.Tensor, z2: torch.Tensor) -> torch.Tensor:
    """The definition, one projection and one clip after another."""
    p1, p2, epsilon = (
        F.normalize(rho.p1, dim=-1),
        F.normalize(rho.p2, dim=-1),
        rho.log_epsilon.exp(),
    )
    costs = torch.stack(
        [((z1 @ a)[:, :, None] - (z2 @ b)[:, None, :]) ** 2 for a, b in zip(p1, p2, strict=True)]
    )
    if rho.settings.aggregate == "costs":
        costs = costs.mean(0, keepdim=True)
    if rho.settings.values == "residual":
        costs = costs - epsilon * rho.stay * torch.eye(costs.shape[-1])
    plan = torch.exp(-costs / epsilon)
    plan = plan / plan.sum(-2, keepdim=True)
    for _ in range(rho.settings.scaling_steps):
        plan = plan / plan.sum(-1, keepdim=True)
        plan = plan / plan.sum(-2, keepdim=True)
    return plan.mean(0)


@pytest.mark.parametrize(("aggregate", "values", "steps"), FORMS)
def test_plan_is_the_definition_and_its_columns_sum_to_one(
    aggregate: str, values: str, steps: int
) -> None:
    rho = transport(aggregate=aggregate, values=values, scaling_steps=steps, epsilon=0.7, at_once=2)
    z1, z2 = tokens(2, 6, 8), tokens(2, 6, 8, seed=1)
    plan = rho.plan(z1, z2)
    torch.testing.assert_close(plan, direct_plan(rho, z1, z2))
    torch.testing.assert_close(plan.sum(-2), torch.ones(2, 6, dtype=torch.float64))
    expected = torch.einsum("bij,bid->bjd", plan, z1 if values == "z1" else z1 - z2)
    torch.testing.assert_close(
        rho(z1, z2), expected if values == "z1" else z2 + rho.gate * expected
    )


def test_one_projection_makes_both_aggregates_equal() -> None:
    z1, z2 = tokens(2, 6, 8), tokens(2, 6, 8, seed=1)
    plans, costs = (
        transport(projections=1, aggregate=name).plan(z1, z2) for name in ("plans", "costs")
    )
    torch.testing.assert_close(plans, costs)


@given(st.integers(1, 7), st.integers(1, 9), st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_closed_form_of_the_mean_cost(count: int, projections: int, seed: int) -> None:
    a, b = tokens(2, count, projections, seed=seed), tokens(2, count, projections, seed=seed + 1)
    brute = (a[:, :, None] - b[:, None, :]).square().mean(-1)
    torch.testing.assert_close(mean_cost(a, b), brute)


@pytest.mark.parametrize("seed", range(3))
def test_many_scaling_steps_reach_pot_sinkhorn(seed: int) -> None:
    a, b, epsilon, count = tokens(1, 9, 1, seed=seed), tokens(1, 9, 1, seed=seed + 10), 0.3, 9
    cost = mean_cost(a, b)[0]
    plan = scaled_plan(-cost / epsilon, 3000)
    uniform = torch.full((count,), 1 / count, dtype=torch.float64)
    expected = (
        ot.sinkhorn(uniform, uniform, cost, epsilon, numItermax=100_000, stopThr=1e-13) * count
    )
    torch.testing.assert_close(plan, expected, atol=1e-9, rtol=1e-7)
    torch.testing.assert_close(plan.sum(1), torch.ones(count, dtype=torch.float64))


@pytest.mark.parametrize("values", ["z1", "residual"])
@pytest.mark.parametrize("aggregate", ["costs", "plans"])
def test_rho_ot_with_many_scaling_steps_is_pot_sinkhorn(aggregate: str, values: str) -> None:
    """One Sinkhorn of the mean cost, or the mean of one Sinkhorn per projection; staying in place
    is a discount on the diagonal.
    """
    rho = transport(
        aggregate=aggregate, values=values, scaling_steps=2000, epsilon=0.8, stay=2.0
    ).requires_grad_(False)
    z1, z2, uniform = (
        tokens(1, 6, 8),
        tokens(1, 6, 8, seed=1),
        torch.full((6,), 1 / 6, dtype=torch.float64),
    )
    p1, p2, epsilon = (
        F.normalize(rho.p1, dim=-1),
        F.normalize(rho.p2, dim=-1),
        float(rho.log_epsilon.exp()),
    )
    costs = [
        ((z1[0] @ a)[:, None] - (z2[0] @ b)[None, :]) ** 2 for a, b in zip(p1, p2, strict=True)
    ]
    costs = costs if aggregate == "plans" else [torch.stack(costs).mean(0)]
    discount = epsilon * float(rho.stay) * torch.eye(6, dtype=torch.float64)
    plans = [
        ot.sinkhorn(uniform, uniform, cost - discount, epsilon, numItermax=100_000, stopThr=1e-13)
        * 6
        for cost in costs
    ]
    torch.testing.assert_close(
        rho.plan(z1, z2)[0], torch.stack(plans).mean(0), atol=1e-9, rtol=1e-7
    )


@pytest.mark.parametrize("steps", [0, 2])
def test_gradients_of_the_recomputed_plans(steps: int) -> None:
    a, b = tokens(2, 4, 5).requires_grad_(), tokens(2, 4, 5, seed=1).requires_grad_()
    epsilon = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
    prior = tokens(4, 4, seed=2).requires_grad_()
    solve = partial(scaled_plan, scaling_steps=steps)
    assert torch.autograd.gradcheck(
        lambda *inputs: mean_of_plans(*inputs, solve, at_once=2), (a, b, epsilon, prior)
    )


@pytest.mark.parametrize(
    ("aggregate", "steps"),
    [(aggregate, steps) for aggregate in ("costs", "plans") for steps in (0, 1, 3)],
)
def test_order_of_omega_1_tokens(aggregate: str, steps: int) -> None:
    """Permuting z1 permutes the plan's rows and leaves a barycentre of z1 as it was."""
    rho = transport(aggregate=aggregate, values="z1", scaling_steps=steps)
    z1, z2, order = tokens(2, 6, 8), tokens(2, 6, 8, seed=1), torch.tensor([3, 1, 5, 0, 2, 4])
    torch.testing.assert_close(rho.plan(z1[:, order], z2), rho.plan(z1, z2)[:, order])
    torch.testing.assert_close(rho(z1[:, order], z2), rho(z1, z2))


@pytest.mark.parametrize("aggregate", ["costs", "plans"])
def test_small_epsilon_picks_the_nearest(aggregate: str) -> None:
    rho = transport(
        projections=1 if aggregate == "plans" else 5,
        aggregate=aggregate,
        values="z1",
        epsilon=1e-7,
        scaling_steps=0,
    )
    z1, z2 = tokens(2, 6, 8), tokens(2, 6, 8, seed=1)
    a, b = z1 @ F.normalize(rho.p1, dim=-1).T, z2 @ F.normalize(rho.p2, dim=-1).T
    nearest = torch.cdist(a, b).argmin(1)  # (B, N): a row for each column
    torch.testing.assert_close(rho.plan(z1, z2), F.one_hot(nearest, 6).transpose(1, 2).double())


@pytest.mark.parametrize("gate", [0.0, 0.5, 1.0])
def test_residual_form_holds_both_parts_and_their_mean(gate: float) -> None:
    rho = transport(stay=1e6)
    rho.gate.data.fill_(gate)
    z1, z2 = tokens(2, 6, 8), tokens(2, 6, 8, seed=1)
    torch.testing.assert_close(rho(z1, z2), z2 + gate * (z1 - z2))


def test_starts_as_phi_2_with_equal_pairs() -> None:
    rho = RhoOT(8, 5, TransportSettings())
    z1, z2 = torch.randn(2, 2, 6, 8)
    assert torch.equal(rho(z1, z2), z2)
    assert torch.equal(rho.p1, rho.p2)


class PeakBytes(TorchDispatchMode):
    """Largest sum of bytes of the tensors that are alive at the same time."""

    def __init__(self) -> None:
        super().__init__()
        self.alive: WeakSet[torch.UntypedStorage] = WeakSet()
        self.peak = 0

    def __torch_dispatch__(
        self, func: Callable, types: object, args: tuple = (), kwargs: dict | None = None
    ) -> object:
        made = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(made):
            if isinstance(leaf, torch.Tensor):
                self.alive.add(leaf.untyped_storage())
        self.peak = max(self.peak, sum(storage.nbytes() for storage in self.alive))
        return made


def peak_and_saved(aggregate: str, projections: int, count: int = 64) -> tuple[float, float]:
    """Peak of forward and backward, and bytes kept for the backward pass; both in units of one
    plan.
    """
    torch.manual_seed(0)
    rho = RhoOT(4, projections, TransportSettings(aggregate=aggregate, values="z1", at_once=2))
    z1, z2 = (torch.randn(1, count, 4, requires_grad=True) for _ in range(2))
    saved: set[torch.UntypedStorage] = set()

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        saved.add(tensor.untyped_storage())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor), PeakBytes() as peak:
        rho(z1, z2).square().sum().backward()
    plan = count * count * 4
    return peak.peak / plan, sum(storage.nbytes() for storage in saved) / plan


@pytest.mark.parametrize("aggregate", ["costs", "plans"])
def test_memory_grows_with_one_plan_and_not_with_projections(aggregate: str) -> None:
    few, many = peak_and_saved(aggregate, 4), peak_and_saved(aggregate, 32)
    projected = 28 * 2 * 64 / 64**2  # what 28 more pairs of projections take themselves, in plans
    assert many[0] - few[0] < 4 * projected
    assert many[1] - few[1] < 4 * projected
    assert math.isclose(many[0], few[0], rel_tol=0.35)


def test_the_definition_would_hold_every_plan() -> None:
    """The measure used above does see plans that are kept."""
    rho = RhoOT(4, 32, TransportSettings(aggregate="plans", values="z1", at_once=32))
    z1, z2 = (torch.randn(1, 64, 4, requires_grad=True) for _ in range(2))
    with PeakBytes() as peak:
        rho(z1, z2).square().sum().backward()
    assert peak.peak / (64 * 64 * 4) > 32
