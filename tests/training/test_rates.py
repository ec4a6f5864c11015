"""Learning rates are what their words say."""

from __future__ import annotations

import math

import pytest

from transporter.training.rates import CosineToFloor, WarmCosine, WarmThenDecay


def test_warm_then_decay_is_constant_between() -> None:
    rate = WarmThenDecay(warm=100, decay_from=0.5, floor=0.02)
    assert rate(0, 1000) == pytest.approx(0.01)
    assert rate(99, 1000) == rate(300, 1000) == rate(500, 1000) == 1.0
    assert rate(750, 1000) == pytest.approx(0.5)
    assert rate(999, 1000) == pytest.approx(0.02)


def test_warm_cosine_covers_all_steps() -> None:
    rate = WarmCosine(peak=2.0, warm_up=10)
    rates = [rate(step, 100) for step in range(100)]
    assert max(rates) == rates[9]
    assert rates[0] == pytest.approx(0.2)
    assert rates[50] == pytest.approx(1.0)
    assert rates[75] == pytest.approx(1 + math.cos(0.75 * math.pi))
    assert 0 < rates[-1] < 1e-2
    assert WarmCosine(peak=2.0, warm_up=0)(0, 100) == 2.0


def test_cosine_to_floor_begins_after_the_warm_up_and_is_cut_off() -> None:
    rate = CosineToFloor(peak=0.6, warm_up=100, floor=5e-3)
    assert rate(0, 3000) == pytest.approx(0.006)
    assert rate(99, 3000) == rate(100, 3000) == pytest.approx(0.6)
    assert rate(1550, 3000) == pytest.approx(0.3)
    assert rate(2999, 3000) == 5e-3
    assert CosineToFloor(peak=0.6, warm_up=0, floor=0.0)(0, 3000) == 0.6


def test_a_rate_is_told_apart_by_its_words() -> None:
    """A checkpoint of another rate must not be resumed."""
    rates = [WarmThenDecay(), WarmThenDecay(warm=3), WarmCosine(1.0, 3), CosineToFloor(1.0, 3, 0.0)]
    assert len({repr(rate) for rate in rates}) == len(rates)
