"""Frames are chosen by the times at which a player shows them."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transporter.clips.refusals import VideoError
from transporter.clips.timeline import Timeline
from transporter.clips.window import Window, spread_starts


def at_rate(count: int, rate: float) -> Timeline:
    return Timeline.of_rate(count, rate)


def at(*times: float) -> Timeline:
    stamps = (np.array(times) * 1000).astype(np.int64)
    return Timeline.of_stamps(stamps, Fraction(1, 1000), 0.0)


@pytest.mark.parametrize("rate", [8, 7.5, 23.976, 29.97])
def test_a_clip_of_the_models_own_rate_gives_all_its_frames(rate: float) -> None:
    assert Window().choose(at_rate(17, rate), 17, rate).tolist() == list(range(17))
    with pytest.raises(VideoError, match="for 17 frames"):
        Window().choose(at_rate(16, rate), 17, rate)


def test_times_that_a_container_rounds_are_met() -> None:
    rounded = at(*(round(number / 30, 3) for number in range(31)))
    assert Window().choose(rounded, 31, 30).tolist() == list(range(31))


@given(
    st.lists(st.floats(0.01, 2), min_size=2, max_size=30),
    st.integers(2, 9),
    st.floats(1, 30),
    st.floats(0, 3),
)
def test_each_frame_is_the_last_that_a_player_has_shown(
    steps: list[float], frames: int, fps: float, start: float
) -> None:
    timeline = at(0, *np.cumsum(steps))
    wanted = [start + number / fps for number in range(frames)]
    try:
        numbers = Window(start).choose(timeline, frames, fps)
    except VideoError:
        assert wanted[-1] > timeline.end - 0.002
        return
    for number, time in zip(numbers, wanted, strict=True):
        shown = [index for index, since in enumerate(timeline.times) if since <= time + 6e-4]
        assert number == shown[-1]


def test_a_window_of_some_seconds_is_shared_evenly() -> None:
    assert Window(1, 2).choose(at_rate(50, 10), 4, 8).tolist() == [10, 15, 20, 25]


@given(st.integers(1, 40), st.integers(0, 60), st.sampled_from([8, 25, 30, 30000 / 1001]))
def test_all_of_a_clip_of_constant_rate_is_spread_by_number(
    frames: int, more: int, rate: float
) -> None:
    count = frames + more
    expected = np.linspace(0, count - 1, frames).round().astype(int)
    assert Window(0, "all").choose(at_rate(count, rate), frames, 8).tolist() == expected.tolist()
    assert Window().choose(at_rate(count, rate), frames, None).tolist() == expected.tolist()


def test_all_of_a_clip_of_variable_rate_is_spread_in_time() -> None:
    """Two seconds at 30 a second and eight at 1: by number nearly all would be of the first two."""
    timeline = at(*np.arange(60) / 30, *range(2, 10))
    numbers = Window(0, "all").choose(timeline, 10, 8)
    assert np.allclose(timeline.times[numbers], range(10), atol=0.04)


def test_what_does_not_fit_says_what_is_needed_and_which_key_to_change() -> None:
    with pytest.raises(VideoError) as caught:
        Window(1.5).choose(at_rate(20, 10), 17, 8)
    assert str(caught.value) == (
        "expected 2.125 s of video from 1.5 s on, for 17 frames at 8 a second, got a clip of 2 s;"
        " take longer clips, or set clips.seconds to fewer seconds or to all"
    )
    with pytest.raises(VideoError, match="expected at least 17 frames from 1 s on, got 10"):
        Window(1, "all").choose(at_rate(20, 10), 17, 8)


@pytest.mark.parametrize(
    ("end", "start", "count", "expected"),
    [
        (10, 0, 1, [0]),
        (10, 1.5, 1, [1.5]),
        (10, 0, 3, [0, 4, 8]),
        (10, 2, 3, [2, 5, 8]),
        (10, 0, 9, [0, 2, 4, 6, 8]),
        (4, 0, 2, [0, 2]),
        (3.9, 0, 2, [0]),
        (1, 0, 2, [0]),
    ],
)
def test_windows_lie_evenly_and_no_more_than_fit(
    end: float, start: float, count: int, expected: list[float]
) -> None:
    assert spread_starts(end, start, 2, count) == expected


@given(st.integers(17, 400), st.floats(0, 3), st.integers(1, 20), st.sampled_from([8, 25, 29.97]))
def test_every_window_fits_and_none_lies_on_another(
    frames: int, start: float, count: int, rate: float
) -> None:
    timeline, length = at_rate(frames, rate), 9 / 8
    starts = spread_starts(timeline.end, start, length, count)
    if timeline.end - start < length:
        assert starts == pytest.approx([start], abs=1e-3)
        return
    chosen = [Window(begin).choose(timeline, 9, 8) for begin in starts]
    assert 1 <= len(chosen) <= count
    for begin, after in pairwise(starts):
        assert after - begin >= length - 1.1e-3
    assert np.ptp(np.diff(starts)) < 2e-3 if len(starts) > 2 else True
