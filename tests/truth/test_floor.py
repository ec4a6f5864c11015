"""The permutation test: against permutations that are counted, and level on coins."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from transporter.truth.floor import permutation_p


def test_the_probability_is_that_of_all_permutations() -> None:
    own, beside = [True, True, False], [True, False, False, False]
    whole = [*own, *beside]
    sums = [sum(order[: len(own)]) for order in permutations(whole)]
    expected = np.mean([value >= sum(own) for value in sums])
    assert permutation_p(own, ["a"] * 3, beside, ["a"] * 4) == pytest.approx(expected)


def test_answers_are_exchanged_within_a_caption_alone() -> None:
    """A caption whose every clip has the target says nothing, however many clips flip."""
    assert permutation_p([True] * 8, ["a"] * 8, [True] * 8, ["a"] * 8) == pytest.approx(1)
    alone = permutation_p([True] * 2, ["b"] * 2, [False] * 6, ["b"] * 6)
    both = permutation_p(
        [True] * 10, ["a"] * 8 + ["b"] * 2, [True] * 8 + [False] * 6, ["a"] * 8 + ["b"] * 6
    )
    assert both == pytest.approx(alone) == pytest.approx(1 / 28)


def test_no_flip_is_no_evidence_and_captions_without_others_are_none() -> None:
    assert permutation_p([False] * 4, ["a"] * 4, [True] * 4, ["a"] * 4) == pytest.approx(1)
    assert permutation_p([True] * 4, ["a"] * 4, [], []) == pytest.approx(1)


@pytest.mark.parametrize("target", [0.1, 0.5])
def test_a_coin_passes_no_more_often_than_the_level(target: float) -> None:
    rng, level = np.random.default_rng(0), 0.05
    captions, others = np.repeat(np.arange(8), 4), np.repeat(np.arange(8), 15)
    found = [
        permutation_p(
            rng.random(len(captions)) < target,
            captions,
            rng.random(len(others)) < target,
            others,
        )
        for _ in range(100)
    ]
    assert np.mean(np.array(found) <= level) <= 0.1  # 0.05 and two standard errors
