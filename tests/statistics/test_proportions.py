"""Exact intervals of shares, against their definition and by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binom

from transporter.statistics.proportions import share


@pytest.mark.parametrize(("hits", "count"), [(0, 8), (3, 8), (8, 8), (47, 48)])
def test_beyond_the_bounds_such_a_count_is_rarer_than_one_in_forty(hits: int, count: int) -> None:
    interval = share([True] * hits + [False] * (count - hits))
    assert interval.value == hits / count
    if hits:
        assert binom.sf(hits - 1, count, interval.low) == pytest.approx(0.025)
    if hits < count:
        assert binom.cdf(hits, count, interval.high) == pytest.approx(0.025)
    assert (interval.low == 0) == (hits == 0)
    assert (interval.high == 1) == (hits == count)


def test_nineteen_of_twenty_intervals_hold_the_truth_even_near_one() -> None:
    draws = np.random.default_rng(0).random((2000, 8)) < 0.95
    held = [(found := share(row.tolist())).low <= 0.95 <= found.high for row in draws]
    assert np.mean(held) >= 0.95


def test_of_nothing_there_is_no_share() -> None:
    assert math.isnan(share([]).value)
