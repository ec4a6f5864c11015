"""Exact intervals of shares, against their definition and by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binom

from transporter.statistics.proportions import clustered_share, mean_share, share


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


@pytest.mark.parametrize("alike", [0.0, 0.3, 0.7])
@pytest.mark.parametrize("truth", [0.95, 0.8])
def test_clips_of_a_caption_may_be_alike(truth: float, alike: float) -> None:
    """Sixteen captions of four clips each whose own shares are beta distributed: nineteen of twenty
    intervals hold the truth, where resampled captions give fewer.
    """
    rng, held = np.random.default_rng(0), []
    for _ in range(400):
        shares = np.full(16, truth)
        if alike:
            spread = 1 / alike - 1
            shares = rng.beta(truth * spread, (1 - truth) * spread, 16)
        found = clustered_share(rng.binomial(4, shares), [4] * 16)
        held.append(found.low <= truth <= found.high)
    assert np.mean(held) >= 0.93  # 0.95 less two standard errors


def test_one_clip_a_caption_is_clopper_and_pearson() -> None:
    hits = [True] * 9 + [False] * 3
    ours, exact = clustered_share(hits, [1] * 12), share(hits)
    assert (ours.low, ours.high) == pytest.approx((exact.low, exact.high), abs=0.02)
    certain, of_four = clustered_share([4.0] * 4, [4] * 4), share([True] * 4)
    assert (certain.low, certain.high) == pytest.approx((of_four.low, of_four.high))
    assert math.isnan(clustered_share([], []).value)


def test_a_share_of_rows_is_that_of_its_groups() -> None:
    rows, captions = [1, 0.5, 1, 0, 1], ["a", "b", "a", "b", "b"]
    assert mean_share(rows, captions) == clustered_share([2, 1.5], [2, 3])
    assert mean_share(rows) == clustered_share(rows, [1] * 5)
    alone, exact = mean_share([1.0] * 8), share([True] * 8)
    assert (alone.low, alone.high) == pytest.approx((exact.low, exact.high))


def test_captions_that_agree_throughout_are_worth_no_more_than_a_clip_each() -> None:
    ours = clustered_share([4, 4, 4, 4, 4, 4, 0, 0], [4] * 8)
    eight, all_clips = (share([True] * 3 * n + [False] * n) for n in (2, 8))
    assert ours.low <= eight.low < all_clips.low
    assert ours.high >= eight.high > all_clips.high
