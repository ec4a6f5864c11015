"""Plans against an assignment solver that knows no transport, POT's other solvers, and finite
differences.
"""

from __future__ import annotations

import numpy as np
import ot
import pytest
import torch
from scipy.optimize import linear_sum_assignment

from transporter.coupling.settings import TransportSettings
from transporter.coupling.solvers import entropic_plan, exact_plan, scaled_plan
from transporter.coupling.transport import RhoOT
from transporter.support.errors import UserError

FORMS = [(aggregate, values) for aggregate in ("costs", "plans") for values in ("residual", "z1")]


def scores(*shape: int, seed: int = 0) -> torch.Tensor:
    """Log-weights."""
    generator = torch.Generator().manual_seed(seed)
    return 2 * torch.randn(shape, generator=generator, dtype=torch.float64)


def assigned(score: torch.Tensor) -> torch.Tensor:
    """The best matching `(N, N)`, by the Hungarian method."""
    rows, columns = linear_sum_assignment(score.numpy(), maximize=True)
    plan = torch.zeros_like(score)
    plan[rows, columns] = 1
    return plan


@pytest.mark.parametrize("count", [1, 2, 5, 40])
def test_exact_is_the_best_assignment(count: int) -> None:
    score = scores(2, 3, count, count, seed=count)
    with torch.no_grad():
        plan = exact_plan(score, 1)
    expected = torch.stack([assigned(one) for one in score.flatten(0, 1)]).view_as(score)
    assert torch.equal(plan, expected)


def test_of_small_sets_exact_is_the_best_of_all_plans_of_the_linear_programme() -> None:
    """No doubly stochastic plan scores more."""
    score = scores(4, 6, 6)
    best = (exact_plan(score, 1) * score).sum((1, 2))
    generator = torch.Generator().manual_seed(1)
    for _ in range(50):
        other = scaled_plan(5 * torch.randn(4, 6, 6, generator=generator).double(), 200)
        assert ((other * score).sum((1, 2)) < best + 1e-9).all()


def test_exact_takes_the_gradient_of_scaled_plans() -> None:
    """A matching has none of its own; finite differences hold for the plan that lends it."""
    score, weights = scores(2, 4, 4).requires_grad_(), scores(2, 4, 4, seed=1)
    (exact,) = torch.autograd.grad((exact_plan(score, 2) * weights).sum(), score)
    (soft,) = torch.autograd.grad((scaled_plan(score, 2) * weights).sum(), score)
    torch.testing.assert_close(exact, soft)
    assert torch.autograd.gradcheck(lambda given: scaled_plan(given, 2), score)


@pytest.mark.parametrize("seed", range(3))
def test_entropic_is_pots_single_solver_and_many_scalings(seed: int) -> None:
    score = scores(3, 9, 9, seed=seed)
    plan = entropic_plan(score)
    uniform = torch.full((9,), 1 / 9, dtype=torch.float64)
    single = [
        9 * ot.sinkhorn(uniform, uniform, -one, 1.0, numItermax=100_000, stopThr=1e-13)
        for one in score
    ]
    torch.testing.assert_close(plan, torch.stack(single), atol=2e-5, rtol=1e-4)
    torch.testing.assert_close(plan, scaled_plan(score, 3000), atol=2e-5, rtol=1e-4)
    torch.testing.assert_close(plan.sum(-2), torch.ones(3, 9, dtype=torch.float64))


def test_entropic_gradients_are_finite_differences() -> None:
    score = (scores(2, 3, 3) / 4).requires_grad_()
    assert torch.autograd.gradcheck(entropic_plan, score, eps=1e-4, atol=1e-4)


def rho_ot(**changes: object) -> RhoOT:
    torch.manual_seed(3)
    made = RhoOT(8, 5, TransportSettings(epsilon=0.7, at_once=2, stay=1.0, **changes)).double()
    torch.nn.init.normal_(made.gate)
    return made


@pytest.mark.parametrize(("aggregate", "values"), FORMS)
def test_rho_ot_with_pots_sinkhorn_is_that_with_many_scalings(aggregate: str, values: str) -> None:
    form = {"aggregate": aggregate, "values": values}
    entropic, scaled = rho_ot(solver="entropic", **form), rho_ot(scaling_steps=500, **form)
    z1, z2 = scores(2, 6, 8) / 2, scores(2, 6, 8, seed=1) / 2
    torch.testing.assert_close(entropic.plan(z1, z2), scaled.plan(z1, z2), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(entropic(z1, z2), scaled(z1, z2), atol=1e-4, rtol=1e-4)
    gradients = [
        torch.autograd.grad(rho(z1, z2).square().sum(), rho.p1)[0] for rho in (entropic, scaled)
    ]
    torch.testing.assert_close(*gradients, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("solver", ["exact", "entropic"])
@pytest.mark.parametrize(("aggregate", "values"), FORMS)
def test_every_part_of_rho_ot_learns(aggregate: str, values: str, solver: str) -> None:
    rho = rho_ot(solver=solver, aggregate=aggregate, values=values)
    rho(scores(2, 6, 8), scores(2, 6, 8, seed=1)).square().sum().backward()
    learnt = {name for name, given in rho.named_parameters() if given.grad is not None}
    expected = {"p1", "p2", "log_epsilon"} | ({"stay", "gate"} if values == "residual" else set())
    assert {name for name in learnt if rho.get_parameter(name).grad.any()} == expected


def test_exact_with_one_projection_matches_sorted_tokens() -> None:
    """On a line the optimum for squared distances is the sorted order."""
    torch.manual_seed(0)
    settings = TransportSettings(solver="exact", aggregate="plans", values="z1")
    rho, z1, z2 = RhoOT(8, 1, settings).double(), scores(1, 7, 8), scores(1, 7, 8, seed=1)
    with torch.no_grad():
        plan = rho.plan(z1, z2)[0]
    direction = torch.nn.functional.normalize(rho.p1.detach(), dim=-1)[0]
    x, y = (z1[0] @ direction).argsort(), (z2[0] @ direction).argsort()
    np.testing.assert_array_equal(plan.argmax(0)[y], x)


def test_sorted_matchings_need_no_solver() -> None:
    with pytest.raises(UserError, match=r"coupling\.transport\.solver: .* gromov.*, got exact"):
        RhoOT(8, 5, TransportSettings(aggregate="gromov", solver="exact"))
