"""How evenly answers move along a slider: known sliders have known figures."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from transporter.metrics.evenness import COLUMNS, evenness

EVEN = np.arange(5.0)
SWITCH = np.array([0.0, 0, 0, 4, 4])
LATE = np.array([0.0, 0, 1, 2, 4])


def test_an_even_slider_and_a_switch() -> None:
    assert evenness(EVEN[None]) == {
        "largest_step": 0.25,
        "variation": 0,
        "middle": 0.5,
        "saturated": 0,
    }
    switch = evenness(SWITCH[None])
    assert switch["variation"] == pytest.approx(np.sqrt(3))
    assert (switch["largest_step"], switch["middle"], switch["saturated"]) == (1, 0, 0.75)


def test_each_clip_counts_not_their_mean() -> None:
    """Two switches at different stops are even in the mean."""
    two = np.array([[0.0, 4, 4], [0, 0, 4]])
    assert evenness(two.mean(0, keepdims=True))["largest_step"] == 0.5
    assert evenness(two)["largest_step"] == 1


def test_the_middle_of_three_steps_lies_within_one() -> None:
    assert evenness(np.array([[0.0, 1, 3, 4]]))["middle"] == 0.5
    assert evenness(LATE[None])["middle"] == 0.25


def test_clips_that_do_not_move_are_left_out() -> None:
    still = np.ones((1, 5))
    assert evenness(np.concatenate([still, EVEN[None]])) == evenness(EVEN[None])
    assert all(np.isnan(value) for value in evenness(still).values())
    assert tuple(evenness(still)) == COLUMNS


@given(arrays(float, (3, 5), elements=st.floats(-8, 8, width=16)), st.floats(0.5, 2))
def test_neither_scale_nor_direction_matters(log_odds: np.ndarray, scale: float) -> None:
    expected = evenness(log_odds)
    assert evenness(-scale * log_odds + 1) == pytest.approx(expected, nan_ok=True, abs=1e-6)
