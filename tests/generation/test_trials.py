"""Which trials a figure shows, and in which captions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from transporter.clips.contrast import Concept
from transporter.generation.trials import (
    OURS,
    SWAPPED,
    Trial,
    demonstrations,
    in_parts,
    together,
)

COLOUR = Concept("red_blue", "object", "red", "blue", "what colour ?")
SIZE = Concept("small_large", "object", "small", "large", "how large ?")
TIME = Concept("day_night", "scene", "day", "night", "what time ?")
SPEED = Concept("slowly_quickly", "action", "slowly", "quickly", "how fast ?")
AUTOMATIC: dict[str, Any] = {
    "several": None,
    "injection": {"concepts": None, "parts": 3},
    "partial_frames": {"concepts": None, "parts": 2},
}


def test_each_acts_alone_and_then_all() -> None:
    trials = together([COLOUR, TIME], [0, 0.5, 1]).trials
    acting = [(0.5, 0), (1, 0), (0, 0.5), (0, 1), (0.5, 0.5), (1, 1)]
    strengths = {
        method: [tuple(trial.strengths.values()) for trial in trials if trial.method == method]
        for method in (OURS, SWAPPED)
    }
    assert strengths == {OURS: [(0, 0), *acting], SWAPPED: acting}


def test_parts_lie_side_by_side_and_fill_the_whole() -> None:
    none, whole, *more = in_parts("injection", COLOUR, 3).trials
    parts, swapped = more[:3], more[3:]
    assert swapped == [replace(trial, method=SWAPPED) for trial in (whole, *parts)]
    assert none.strengths == {"red_blue": 0} and whole.share == (0, 1)
    assert [part.share for part in parts] == [(0, 1 / 3), (1 / 3, 2 / 3), (2 / 3, 1)]
    assert all(part.strengths == {"red_blue": 1} for part in parts)


def test_concepts_that_no_one_named_are_the_first_of_their_kinds() -> None:
    made = demonstrations(AUTOMATIC, [0, 1], [SPEED, COLOUR, SIZE, TIME])
    firsts = ["red_blue", "day_night", "slowly_quickly"]
    assert [(each.figure, each.name) for each in made] == [
        ("several", "red_blue+day_night"),
        *(("injection", name) for name in firsts),
        *(("partial_frames", name) for name in firsts[:2]),
    ]


def test_concepts_of_one_kind_compose_when_they_are_named() -> None:
    assert {each.figure for each in demonstrations(AUTOMATIC, [0, 1], [COLOUR, SIZE])} == {
        "injection",
        "partial_frames",
    }
    named = AUTOMATIC | {
        "several": [["small_large", "red_blue"]],
        "injection": {"concepts": ["small_large"], "parts": 2},
    }
    made = demonstrations(named, [0, 1], [COLOUR, SIZE])
    assert [each.name for each in made] == ["small_large+red_blue", "small_large", "red_blue"]
    assert made[1].trials[3] == Trial({"small_large": 1.0}, 2, 2)
