"""Intervals against SciPy's bootstrap, and against what is known of means."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from transporter.statistics.bootstrap import (
    bootstrap,
    mean_difference,
    mean_interval,
    mean_intervals,
)
from transporter.support.errors import UserError

VALUES = np.random.default_rng(0).normal(3.0, 2.0, 200)


def test_the_interval_of_a_mean_is_scipys() -> None:
    ours = mean_interval(VALUES)
    theirs = stats.bootstrap(
        (VALUES,), np.mean, n_resamples=4000, method="percentile", rng=np.random.default_rng(1)
    )
    assert ours.value == pytest.approx(VALUES.mean())
    assert (ours.low, ours.high) == pytest.approx(theirs.confidence_interval, abs=0.05)


def test_about_as_many_intervals_hold_the_truth_as_they_say() -> None:
    rng = np.random.default_rng(2)
    held = [
        low <= 0 <= high
        for low, high in (
            (i.low, i.high) for i in (mean_interval(rng.normal(size=60)) for _ in range(100))
        )
    ]
    assert 0.88 < np.mean(held) < 0.99


def test_rows_of_one_group_are_drawn_together() -> None:
    doubled, groups = np.repeat(VALUES, 5), np.repeat(np.arange(len(VALUES)), 5)
    alone, together = mean_interval(doubled), mean_interval(doubled, groups)
    assert together.high - together.low == pytest.approx(
        mean_interval(VALUES).high - mean_interval(VALUES).low, rel=0.1
    )
    assert together.high - together.low > 1.8 * (alone.high - alone.low)


@pytest.mark.parametrize("groups", [None, np.arange(200) // 7])
def test_many_columns_have_the_intervals_of_each(groups: np.ndarray | None) -> None:
    columns = np.stack([VALUES, VALUES**2], 1)
    for values, found in zip(columns.T, mean_intervals(columns, groups, seed=3), strict=True):
        alone = mean_interval(values, groups, seed=3)
        assert (found.value, found.low, found.high) == pytest.approx(
            (alone.value, alone.low, alone.high)
        )


def test_a_paired_difference_forgets_what_both_share() -> None:
    shared = np.random.default_rng(3).normal(0, 100, 50)
    difference = mean_difference(shared + 1.0, shared)
    assert (difference.low, difference.value, difference.high) == pytest.approx((1, 1, 1))


def test_a_seed_gives_one_interval_and_nans_are_left_out() -> None:
    assert (
        mean_interval(VALUES, seed=4)
        == mean_interval(VALUES, seed=4)
        != mean_interval(VALUES, seed=5)
    )

    def some(rows: np.ndarray) -> float:
        return float("nan") if rows[0] % 2 else 1.0

    assert bootstrap(some, 10).low == 1.0


def test_refusals() -> None:
    with pytest.raises(UserError, match="at least one row"):
        mean_interval([])
    with pytest.raises(UserError, match="2 and 1"):
        mean_difference([1.0, 2.0], [1.0])
