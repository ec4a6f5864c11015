"""The sliced Wasserstein distance against sorting by hand, POT's own form, and closed forms."""

from __future__ import annotations

import ot
import pytest
import torch

from transporter.statistics.wasserstein import directions, sliced_wasserstein


def clouds(seed: int, points: int = 7, dim: int = 5) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(3, points, dim, generator=generator, dtype=torch.float64) + seed


def by_sorting(one: torch.Tensor, other: torch.Tensor, along: torch.Tensor) -> float:
    """The definition for equally many points: on a line, sorted points are matched in order."""
    total = 0.0
    for direction in along.T:
        x, y = sorted((one @ direction).tolist()), sorted((other @ direction).tolist())
        total += sum((p - q) ** 2 for p, q in zip(x, y, strict=True)) / len(x)
    return (total / along.shape[1]) ** 0.5


@pytest.mark.parametrize("seed", range(3))
def test_equals_sorting_by_hand_and_pots_own_form(seed: int) -> None:
    x, y, along = clouds(seed), clouds(seed + 1), directions(5, 11)
    found = sliced_wasserstein(x, y, along)
    hand = [by_sorting(one, other, along) for one, other in zip(x, y, strict=True)]
    assert found.tolist() == pytest.approx(hand, rel=1e-12)
    single = [
        float(ot.sliced_wasserstein_distance(one, other, projections=along))
        for one, other in zip(x, y, strict=True)
    ]
    assert found.tolist() == pytest.approx(single, rel=1e-12)


def test_unequally_many_points_are_pots_own_form() -> None:
    x, y, along = clouds(0, points=4), clouds(1, points=6), directions(5, 9)
    single = [
        float(ot.sliced_wasserstein_distance(one, other, projections=along))
        for one, other in zip(x, y, strict=True)
    ]
    assert sliced_wasserstein(x, y, along).tolist() == pytest.approx(single, rel=1e-12)


def test_a_shift_is_as_long_as_its_projections() -> None:
    x, along = clouds(0), directions(5, 200)
    shift = torch.tensor([3.0, 0, -1, 0, 2], dtype=torch.float64)
    expected = (shift @ along).square().mean().sqrt()
    torch.testing.assert_close(sliced_wasserstein(x, x + shift, along), expected.expand(3))
    assert float(expected) == pytest.approx(float(shift.norm()) / 5**0.5, rel=0.15)


def test_order_costs_nothing() -> None:
    x = clouds(0)
    turned = x[:, torch.tensor([3, 1, 6, 0, 2, 5, 4])]
    assert sliced_wasserstein(x, turned, directions(5, 9)).tolist() == pytest.approx([0] * 3)


def test_directions_are_unit_vectors_of_their_seed() -> None:
    along = directions(6, 40, seed=2)
    torch.testing.assert_close(along.norm(dim=0), torch.ones(40, dtype=torch.float64))
    assert torch.equal(along, directions(6, 40, seed=2))
    assert not torch.equal(along, directions(6, 40, seed=3))
