"""The three questions about time, asked of answers whose dependence on time is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from transporter.metrics.temporal import (
    Readings,
    frame_disparity,
    multi_frame_gain,
    order_sensitivity,
    temporal_honesty,
    timeless,
)
from transporter.metrics.timeless import TIMING, timeless_words
from transporter.support.errors import UserError

RNG = np.random.default_rng(0)
TRUE = RNG.integers(2, size=400)


def answers(words: np.ndarray, sure: float | np.ndarray = 0.9) -> np.ndarray:
    """Probabilities `(..., 2)` by which `words` are likeliest."""
    sure = np.broadcast_to(sure, words.shape)
    return np.where(words[..., None] == np.arange(2), sure[..., None], 1 - sure[..., None])


def guesses(*shape: int) -> np.ndarray:
    return answers(RNG.integers(2, size=shape))


def test_an_answer_that_needs_time() -> None:
    """Right with all frames in order, a guess otherwise: twice as often right, that is a
    gain of 1.
    """
    readings = Readings(answers(TRUE), guesses(400), guesses(400, 5), TRUE)
    row = temporal_honesty(readings)
    for name in ("multi_frame_gain", "order_sensitivity"):
        assert row[name] == pytest.approx(1.0, abs=0.2)
        assert 0.6 < row[f"{name}_low"] < row[name] < row[f"{name}_high"]
    assert row["frame_disparity"] == pytest.approx(0.0, abs=0.2)
    assert row["same_shuffled"] == pytest.approx(0.5, abs=0.1)
    assert (row["clips"], row["whole"], row["whole_high"]) == (400, 1, 1)
    assert row["whole_low"] == pytest.approx(0.025 ** (1 / 400))  # Clopper and Pearson
    assert not timeless(row)


@pytest.mark.parametrize(
    "word", [TRUE, np.zeros_like(TRUE)], ids=["right", "wrong half of the time"]
)
def test_an_answer_that_needs_none(word: np.ndarray) -> None:
    """A word that each frame shows, or a cue: nothing is gained by time, and nothing changes
    without it.
    """
    row = temporal_honesty(
        Readings(answers(word), answers(word), answers(np.repeat(word[:, None], 3, 1)), TRUE)
    )
    for name in ("multi_frame_gain", "order_sensitivity", "frame_disparity"):
        assert row[name] == row[f"{name}_low"] == row[f"{name}_high"] == 0
    assert timeless(row)


def test_an_answer_by_another_thing_that_moves_is_not_timeless() -> None:
    """As good as a guess in all conditions, and yet time changes it."""
    row = temporal_honesty(Readings(guesses(400), guesses(400), guesses(400, 3), TRUE))
    assert row["order_sensitivity"] == pytest.approx(0.0, abs=0.2)
    assert not timeless(row)


def test_one_telling_frame_is_found_by_confidence() -> None:
    """One frame of four shows the word and the VLM is sure of it; the others are guesses."""
    words, telling = RNG.integers(2, size=(400, 4)), RNG.integers(4, size=400)
    words[np.arange(400), telling] = TRUE
    still = answers(words, np.where(np.arange(4) == telling[:, None], 0.99, 0.6))
    correct = Readings(answers(TRUE), answers(TRUE), still, TRUE).correct()
    assert correct["surest_frame"].mean() == 1
    assert correct["random_frame"].mean() == pytest.approx(1 / 4 + 3 / 4 * 1 / 2, abs=0.05)
    assert frame_disparity(correct).value == pytest.approx(1 / 0.625 - 1, abs=0.1)
    assert multi_frame_gain(correct).value == frame_disparity(correct).value
    assert order_sensitivity(correct).value == 0


def test_without_a_right_answer_there_is_no_gain() -> None:
    wrong = answers(1 - TRUE)
    row = temporal_honesty(Readings(answers(TRUE), wrong, np.repeat(wrong[:, None], 2, 1), TRUE))
    assert np.isnan(row["order_sensitivity"])
    assert np.isnan(row["multi_frame_gain"])


@pytest.mark.parametrize("frames", [0, 3])
def test_shapes_that_do_not_fit_are_refused(frames: int) -> None:
    with pytest.raises(UserError, match=r"expected readings .* got"):
        Readings(guesses(4), guesses(4 + frames), guesses(4, frames), TRUE[:4])


def test_words_of_answers_that_should_need_time_and_do_not() -> None:
    """Also of a world that is not the microworld."""
    table = pd.DataFrame(
        [
            ("a", "pace", "yes", "no"),
            ("a", "tint", "no", "no"),
            ("b", "pace", "yes", "yes"),
        ],
        columns=list(TIMING),
    )
    words = {"pace": ("walks", "runs"), "tint": ("red",)}
    assert timeless_words(table, words) == {("a", "walks"), ("a", "runs")}
