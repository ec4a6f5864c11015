"""Which captions concepts are shown in."""

from __future__ import annotations

from collections import Counter

import pytest

from transporter.clips.contrast import Concept
from transporter.generation.captions import (
    fresh_pairs,
    in_turn,
    pick_captions,
    pick_contexts,
    strata_of,
)
from transporter.support.errors import UserError

COLOUR = Concept("red_blue", "object", "red", "blue", "which colour ?")
SPEED = Concept("slowly_quickly", "action", "slowly", "quickly", "how fast ?")
TIME = Concept("day_night", "scene", "day", "night", "when ?")
LENGTHS = [2] * 30 + [3] * 30 + [5] * 5 + [9] * 25
"""Words of captions, of which no length stands out by chance."""


def captions(lengths: list[int]) -> list[str]:
    return [
        " ".join(["red", *[f"word{number}"] * (length - 1)])
        for number, length in enumerate(lengths)
    ]


def test_contexts_are_fresh() -> None:
    some = ["a red dot", "a large red dot moves", "a blue dot", "a green dot"]
    assert (
        pick_contexts(COLOUR, some, ["a blue dot"], 2, 0)
        == [("a large red dot moves", "a large blue dot moves")] * 2
    )
    with pytest.raises(UserError, match="that were not fitted on, found none in 4"):
        pick_contexts(COLOUR, some, some, 1, 0)


def test_strata_are_thirds_by_length_and_keep_one_length_together() -> None:
    assert strata_of(captions([9, 1, 4, 2, 7, 5])) == [2, 0, 1, 0, 2, 1]
    assert strata_of(captions([4, 4, 4])) == [0, 0, 0]
    assert strata_of([]) == []


@pytest.mark.parametrize("count", [3, 8, 24])
def test_every_stratum_has_its_third_of_the_first_captions(count: int) -> None:
    pairs = [(text, text) for text in captions(LENGTHS)]
    strata = dict(zip(captions(LENGTHS), strata_of(captions(LENGTHS)), strict=True))
    taken = Counter(strata[minus] for minus, _ in in_turn(pairs, "red_blue", 0)[:count])
    assert set(taken) == {0, 1, 2}
    assert max(taken.values()) - min(taken.values()) <= 1


def test_the_order_is_random_by_seed_and_concept_and_loses_nothing() -> None:
    pairs = [(text, text) for text in captions([5] * 40)]
    orders = [in_turn(pairs, name, seed) for name, seed in (("a", 0), ("a", 1), ("b", 0))]
    assert all(sorted(order) == sorted(pairs) for order in orders)
    assert len(set(map(tuple, orders))) == 3
    assert in_turn(pairs, "a", 0) == orders[0] != pairs


def test_the_first_list_of_captions_goes_first() -> None:
    near, far = captions([3, 4, 5]), [f"{text} far" for text in captions([3, 4, 5, 6])]
    found = [minus for minus, _ in fresh_pairs(COLOUR, [near, far], [], 0)]
    assert set(found[:3]) == set(near)
    assert set(found[3:]) == set(far)


def test_captions_hold_every_source_word_and_no_vector_knows_them() -> None:
    some = [
        "a blue dot at night",
        "a red dot",
        "a red dot on snow by day",
        "a large blue dot by day",
    ]
    found = pick_captions([COLOUR, TIME], some, ["a red dot at night"], 4, 0)
    assert set(found[:2]) == {"a red dot on snow by day", "a large red dot by day"}
    assert found[2:] == found[:2]
    with pytest.raises(
        UserError, match=r"red_blue, slowly_quickly: expected held-out captions .* found none in 4"
    ):
        pick_captions([COLOUR, SPEED], some, [], 1, 0)


def test_one_concept_has_the_captions_of_its_sweep() -> None:
    some = ["a red dot", "a large red dot", "a blue dot", "a small blue dot moves"]
    seen = ["a small red dot moves"]
    sweep = [minus for minus, _ in pick_contexts(COLOUR, some, seen, 3, 4)]
    assert pick_captions([COLOUR], some, seen, 3, 4) == sweep
