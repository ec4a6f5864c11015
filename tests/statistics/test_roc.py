"""The area under the curve against a test of ranks, and its interval against simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import mannwhitneyu, norm

from transporter.statistics.roc import auroc


def test_the_area_is_the_share_of_pairs_in_order() -> None:
    rng = np.random.default_rng(0)
    low, high = rng.integers(0, 6, 17), rng.integers(2, 9, 23)
    expected = mannwhitneyu(high, low).statistic / (17 * 23)
    assert auroc(low, high).value == pytest.approx(expected)
    assert auroc(high, low).value == pytest.approx(1 - expected)


def test_it_turns_round() -> None:
    rng = np.random.default_rng(1)
    low, high = rng.normal(size=12), rng.normal(1, 1, 30)
    one, other = auroc(low, high), auroc(-low, -high)
    assert (one.low, one.high) == pytest.approx((1 - other.high, 1 - other.low), abs=1e-6)
    assert one.low < one.value < one.high


@pytest.mark.parametrize("true", [0.7, 0.95, 0.99])
def test_the_interval_holds_the_truth_as_often_as_it_says(true: float) -> None:
    rng, apart = np.random.default_rng(0), norm.ppf(true) * math.sqrt(2)
    found = [auroc(rng.normal(size=16), rng.normal(apart, 1, 60)) for _ in range(400)]
    held = [interval.low <= true <= interval.high for interval in found]
    assert 0.92 < np.mean(held) < 0.995


def test_few_values_in_order_are_no_certainty() -> None:
    few, many = (auroc(range(count), range(count, 3 * count)) for count in (4, 40))
    assert few.value == many.value == few.high == 1
    assert 0.6 < few.low < many.low < 1
    assert auroc([3.0], []).row("auroc").keys() == {"auroc", "auroc_low", "auroc_high"}
    assert math.isnan(auroc([3.0], []).value)
