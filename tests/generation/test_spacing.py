"""A clip's strengths are sought by its answers: on courses in closed form."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np
import pytest

from transporter.generation.spacing import NEAR, Course, _closest

STOPS = (0, 0.25, 0.5, 0.75, 1)
Answer = Callable[[float], float]


def sigmoid(middle: float, steepness: float, height: float = 16) -> Answer:
    return lambda phi: height / (1 + np.exp(-steepness * (phi - middle))) - height / 2


def followed(answer: Answer, rounds: int, stops: Sequence[float] = STOPS) -> Course:
    """A course of which the ends, what lies between, and `rounds` more were tried."""
    course = Course()
    for _ in range(2 + rounds):
        wanted = course.wanted(stops)
        assert not set(wanted) & set(course.log_odds)
        course.log_odds |= {phi: answer(phi) for phi in wanted}
    return course


def largest_step(answer: Answer, phis: Sequence[float]) -> float:
    moves = np.abs(np.diff([answer(phi) for phi in phis]))
    return float((moves / moves.sum()).max())


@pytest.mark.parametrize("middle", [0.3, 0.5, 0.7])
@pytest.mark.parametrize("steepness", [12, 25, 40])
def test_a_switch_becomes_a_slider(middle: float, steepness: float) -> None:
    answer = sigmoid(middle, steepness)
    found = followed(answer, 2).strengths(STOPS)
    assert found[0] == 0 and found[-1] == 1 and found == sorted(set(found))
    assert largest_step(answer, found) < 0.4 < largest_step(answer, STOPS)


def test_more_rounds_come_closer() -> None:
    answer = sigmoid(0.62, 60)
    steps = [largest_step(answer, followed(answer, rounds).strengths(STOPS)) for rounds in range(4)]
    assert steps[0] > 0.6 and steps == sorted(steps, reverse=True)
    assert steps[-1] < 0.25 + 2 * NEAR


def test_what_is_known_of_another_change_is_tried_first() -> None:
    answer = sigmoid(0.62, 30)
    found = followed(answer, 2).strengths(STOPS)
    course = Course(start=found[1:-1])
    course.log_odds = {0.0: answer(0), 1.0: answer(1)}
    assert course.wanted(STOPS) == found[1:-1]
    course.log_odds |= {phi: answer(phi) for phi in found[1:-1]}
    assert course.strengths(STOPS) == found


def test_what_is_near_enough_is_not_sought_again() -> None:
    course = followed(lambda phi: 8 * phi - 4, 0)
    assert set(course.log_odds) == {0, 0.35, 0.5, 0.65, 1}
    # the middle is there, the others are a tenth of the way off
    assert course.wanted(STOPS) == pytest.approx([0.25, 0.75])
    course = followed(lambda phi: 8 * phi - 4, 1)
    assert course.wanted(STOPS) == []
    assert course.strengths(STOPS) == pytest.approx(STOPS)


@pytest.mark.parametrize("answer", [lambda phi: 0.9 * phi, lambda phi: -8 * phi, lambda phi: 0.0])
def test_an_answer_that_does_not_rise_leaves_strengths_alone(answer: Answer) -> None:
    course = followed(answer, 3)
    assert sorted(course.log_odds) == list(STOPS)
    assert course.strengths(STOPS) == list(STOPS)


def test_strengths_rise_whatever_the_course() -> None:
    jump: Answer = lambda phi: 0.0 if phi < 0.505 else 9.0  # noqa: E731
    wave: Answer = lambda phi: 9 * phi + 4 * np.sin(12 * phi)  # noqa: E731
    for answer in (jump, wave):
        for stops in (STOPS, np.linspace(0, 1, 12).tolist(), [0, 0.5, 1], [0, 1]):
            for rounds in range(4):
                found = followed(answer, rounds, stops).strengths(stops)
                assert len(found) == len(stops)
                assert np.all(np.diff(found) > 0) and (found[0], found[-1]) == (0, 1)


def test_strengths_outside_stay() -> None:
    stops = (-0.5, 0, 0.5, 1, 1.5)
    course = followed(sigmoid(0.6, 25), 2, stops)
    found = course.strengths(stops)
    assert (found[:2], found[-2:]) == ([-0.5, 0], [1, 1.5])
    assert found[2] == pytest.approx(0.6, abs=0.02)


def test_the_closest_are_those_of_a_whole_search() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        way, stops = rng.random(rng.integers(3, 8)), np.sort(rng.random(3))
        sums = {
            some: float(((way[list(some)] - stops) ** 2).sum())
            for some in combinations(range(len(way)), len(stops))
        }
        assert sums[tuple(_closest(way, stops))] == pytest.approx(min(sums.values()))
