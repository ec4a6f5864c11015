"""Settings are what their fields say: types, bounds, defaults and descriptions."""

from __future__ import annotations

from typing import Literal

import pytest

from transporter.support.errors import UserError
from transporter.support.settings import (
    Cells,
    Count,
    Levels,
    Names,
    Positive,
    check_fields,
    plain,
    read_settings,
    schema,
    section,
    sharing,
)


@section
class Inner:
    """What is inside."""

    kind: Literal["a", "b"] = "a"
    """Which of both."""
    cells: Cells = (1, 2, 3)
    """Cells."""


@section
class Outer:
    """All of it."""

    steps: Count
    """Steps."""
    rate: Positive = 2
    """Rate."""
    levels: Levels = (0.5, 1.0)
    """Levels."""
    names: Names | None = None
    """Names."""
    inner: Inner = Inner()


@section
class Longer(Outer):
    """All of it and more."""

    more: Count = 5
    """More."""


@sharing(Outer, steps=7, rate=0.5)
class Part:
    """Some of it."""

    own: Count = 1
    """Its own."""


def described(cls: type) -> dict[str, str]:
    return {name: part["description"] for name, part in schema(cls)["properties"].items()}


def test_descriptions_are_read_from_the_source_also_of_bases() -> None:
    assert described(Longer) == described(Outer) | {"more": "More."}
    assert described(Outer)["inner"] == "What is inside."
    assert described(Part) == {"own": "Its own.", "steps": "Steps.", "rate": "Rate."}


def test_shared_fields_keep_their_bounds_and_have_their_own_defaults() -> None:
    assert plain(read_settings(Part, {}, "part")) == {"own": 1, "steps": 7, "rate": 0.5}
    with pytest.raises(UserError, match=r"part\.steps: expected at least 1, got 0"):
        read_settings(Part, {"steps": 0}, "part")


def test_defaults_stay_as_they_are_written() -> None:
    assert repr(plain(Outer(3))) == repr(
        {
            "steps": 3,
            "rate": 2,
            "levels": [0.5, 1.0],
            "names": None,
            "inner": {"kind": "a", "cells": [1, 2, 3]},
        }
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "outer.steps: expected a value, got none; this key has no default"),
        ({"steps": True}, "outer.steps: expected an integer, got True (boolean)"),
        ({"steps": 1, "rate": "1"}, "outer.rate: expected a number, got '1' (string)"),
        ({"steps": 1, "rate": -1}, "outer.rate: expected more than 0, got -1 (integer)"),
        (
            {"steps": 1, "levels": [0.9, 0.1]},
            "outer.levels: expected lowest and highest, in this order, got [0.9, 0.1] (list)",
        ),
        ({"steps": 1, "levels": [0.9, 2]}, "outer.levels[1]: expected at most 1, got 2 (integer)"),
        ({"steps": 1, "names": 3}, "outer.names: expected a list or null, got 3 (integer)"),
        ({"steps": 1, "names": ["a", "a"]}, "outer.names: expected no entry twice, got ['a', 'a']"),
        ({"steps": 1, "inner": None}, "outer.inner: expected a mapping, got None (null)"),
        ({"steps": 1, "inner": {"kind": "c"}}, "outer.inner.kind: expected one of a, b, got 'c'"),
        (
            {"steps": 1, "inner": {"cells": [1, 2]}},
            "outer.inner.cells: expected at least 3 entries, got [1, 2] (list)",
        ),
        (
            {"stesp": 1},
            "outer.stesp: expected one of the keys steps, rate, levels, names, inner, got an"
            " unknown key; did you mean steps?",
        ),
    ],
)
def test_refusals_in_one_line(given: dict, message: str) -> None:
    with pytest.raises(UserError) as caught:
        read_settings(Outer, given, "outer")
    assert str(caught.value).startswith(message)


def test_settings_made_by_hand_are_checked_alike() -> None:
    check_fields(Outer(1), "outer")
    with pytest.raises(UserError, match=r"outer\.inner\.kind: expected one of a, b, got 3"):
        check_fields(Inner(kind=3), "outer.inner")
