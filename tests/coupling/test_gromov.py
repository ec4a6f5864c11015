"""Sliced Gromov-Wasserstein against its definition, every permutation, and POT."""

from __future__ import annotations

from functools import partial
from itertools import permutations

import numpy as np
import ot
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from transporter.coupling.gromov import facing, mean_of_matchings
from transporter.coupling.settings import TransportSettings
from transporter.coupling.solvers import Solve, scaled_plan
from transporter.coupling.transport import RhoOT, mean_of_plans, sliced_gromov

VALUES = ["z1", "residual"]


def scaling(steps: int) -> Solve:
    return partial(scaled_plan, scaling_steps=steps)


def two_sets(most: int) -> st.SearchStrategy[tuple[np.ndarray, np.ndarray]]:
    """Two sets of equally many points on a line, among them equal and nearly equal ones."""
    near = st.sampled_from([-1.0, 0.0, 1.0]).flatmap(
        lambda centre: st.floats(centre - 0.01, centre + 0.01)
    )
    points = st.floats(-4, 4) | near
    return st.integers(1, most).flatmap(
        lambda count: st.tuples(*(arrays(np.float64, count, elements=points) for _ in range(2)))
    )


def distances(x: np.ndarray) -> np.ndarray:
    """Squared distances within a set: `(..., n)` to `(..., n, n)`."""
    return (x[..., :, None] - x[..., None, :]) ** 2


def distortion(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The definition, x_i matched with y_i: `(n,)` and `(..., n)` to `(...)`."""
    return ((distances(x) - distances(y)) ** 2).sum((-2, -1))


def plan(x: np.ndarray, y: np.ndarray) -> torch.Tensor:
    """The plan of one projection `(n, n)`, rows x."""
    return mean_of_matchings(*facing(*(torch.from_numpy(z)[None, :, None] for z in (x, y))))[0]


def matched(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """y in the order that matches x."""
    return y[plan(x, y).argmax(1).numpy()]


def tokens(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def transport(**changes: object) -> RhoOT:
    torch.manual_seed(3)
    made = RhoOT(8, 5, TransportSettings(**{"aggregate": "gromov", **changes})).double()
    torch.nn.init.normal_(made.gate)
    torch.nn.init.normal_(made.p2)
    return made


@given(two_sets(most=6))
def test_up_to_six_points_no_permutation_is_better(sets: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = sets
    best = distortion(x, y[np.array(list(permutations(range(len(x)))))]).min()
    assert distortion(x, matched(x, y)) == pytest.approx(best, rel=1e-9, abs=1e-9)


@given(two_sets(most=30))
def test_the_better_of_both_orders_is_taken(sets: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = sets
    best = min(distortion(np.sort(x), order) for order in (np.sort(y), np.sort(y)[::-1]))
    assert distortion(x, matched(x, y)) == pytest.approx(best, rel=1e-9, abs=1e-9)


def test_from_seven_points_on_neither_order_need_be_the_best() -> None:
    """Beinert, Heiss and Steidl (2022): Theorem 3.1 of Vayer et al. does not hold for these."""
    near = np.linspace(-0.01, 0.01, 5)
    x, y = np.concatenate([[-1], near, [1]]), np.concatenate([[-1.01, -0.99], near])
    best = distortion(x, y[np.array(list(permutations(range(7))))]).min()
    both_ends_to_the_pair = y[[0, 2, 3, 4, 5, 6, 1]]
    assert distortion(x, both_ends_to_the_pair) == pytest.approx(best, rel=0.01)
    assert best < 0.95 * distortion(x, matched(x, y))


@pytest.mark.parametrize("seed", range(5))
def test_against_pot(seed: int) -> None:
    """POT descends to a stationary point: from its own start to none better, and from ours
    nowhere.
    """
    x, y = tokens(2, 64, seed=seed).numpy()
    inner, uniform = [distances(z) for z in (x, y)], np.full(64, 1 / 64)
    ours = distortion(x, matched(x, y)) / 64**2
    start = plan(x, y).numpy() / 64
    theirs = [
        ot.gromov.gromov_wasserstein2(*inner, uniform, uniform, G0=G0, tol_rel=1e-12, tol_abs=1e-12)
        for G0 in (None, start)
    ]
    assert theirs[0] >= ours * (1 - 1e-9)
    assert theirs[1] == pytest.approx(ours, rel=1e-9)


def test_plan_is_the_mean_of_permutations() -> None:
    a, b = tokens(2, 9, 7), tokens(2, 9, 7, seed=1)
    made = mean_of_matchings(*facing(a, b))
    for clip in range(2):
        one_by_one = [plan(x, y) for x, y in zip(a[clip].T.numpy(), b[clip].T.numpy(), strict=True)]
        assert all(((one == 0) | (one == 1)).all() for one in one_by_one)
        torch.testing.assert_close(made[clip], torch.stack(one_by_one).mean(0))
    for axis in (1, 2):
        torch.testing.assert_close(made.sum(axis), torch.ones(2, 9, dtype=torch.float64))


def test_shifts_and_mirror_images_cost_nothing() -> None:
    a, b = tokens(2, 9, 7), tokens(2, 9, 7, seed=1)
    made = mean_of_matchings(*facing(a, b))
    for other in (a + 3, -a, 2 - a):
        assert torch.equal(mean_of_matchings(*facing(other, b)), made)


@pytest.mark.parametrize("values", VALUES)
def test_order_of_tokens(values: str) -> None:
    """Permuting z1 permutes rows, permuting z2 permutes columns; a barycentre of z1 keeps z2's
    order.
    """
    rho, order = transport(values=values), torch.tensor([3, 1, 5, 0, 2, 4])
    z1, z2 = tokens(2, 6, 8), tokens(2, 6, 8, seed=1)
    made = rho.plan(z1, z2)
    torch.testing.assert_close(rho.plan(z1[:, order], z2), made[:, order])
    torch.testing.assert_close(rho.plan(z1, z2[:, order]), made[:, :, order])
    if values == "z1":
        torch.testing.assert_close(rho(z1[:, order], z2[:, order]), rho(z1, z2)[:, order])


@pytest.mark.parametrize("values", VALUES)
def test_barycentre(values: str) -> None:
    rho, z1, z2 = transport(values=values), tokens(2, 6, 8), tokens(2, 6, 8, seed=1)
    p1, p2 = (F.normalize(p, dim=-1) for p in (rho.p1, rho.p2))
    made = mean_of_matchings(*facing(z1 @ p1.T, z2 @ p2.T))
    expected = torch.einsum("bij,bid->bjd", made, z1 if values == "z1" else z1 - z2)
    torch.testing.assert_close(
        rho(z1, z2), expected if values == "z1" else z2 + rho.gate * expected
    )


def test_plans_of_a_small_epsilon_are_the_matchings() -> None:
    a, b = facing(tokens(1, 5, 4), tokens(1, 5, 4, seed=1))
    soft = mean_of_plans(
        a, b, torch.tensor(2e-3, dtype=torch.float64), a.new_zeros(()), scaling(20_000)
    )
    torch.testing.assert_close(soft, mean_of_matchings(a, b), atol=1e-3, rtol=0)


def test_gradients_are_those_of_the_plans_and_values_those_of_the_matchings() -> None:
    a, b = tokens(2, 6, 5).requires_grad_(), tokens(2, 6, 5, seed=1).requires_grad_()
    weight, epsilon = tokens(2, 6, 6, seed=2), torch.tensor(0.5, dtype=torch.float64)
    made = sliced_gromov(a, b, epsilon, 1)
    assert torch.equal(made, mean_of_matchings(*facing(a, b)))
    soft = mean_of_plans(*facing(a, b), epsilon, a.new_zeros(()), scaling(1))
    for ours, theirs in zip(
        *(torch.autograd.grad((part * weight).sum(), (a, b)) for part in (made, soft)), strict=True
    ):
        assert theirs.abs().sum() > 0
        torch.testing.assert_close(ours, theirs)
    with torch.no_grad():
        assert torch.equal(sliced_gromov(a, b, epsilon, 1), made)


@pytest.mark.parametrize("values", VALUES)
def test_projections_are_learnt_and_epsilon_is_not(values: str) -> None:
    rho, z1, z2 = (
        transport(values=values),
        tokens(2, 6, 8).requires_grad_(),
        tokens(2, 6, 8, seed=1).requires_grad_(),
    )
    rho(z1, z2).square().sum().backward()
    assert all(tensor.grad.abs().sum() > 0 for tensor in (rho.p1, rho.p2, z1, z2))
    assert rho.log_epsilon.grad is None
    assert rho.stay.grad is None
    assert (rho.gate.grad is None) == (values == "z1")
