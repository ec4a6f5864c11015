"""Shortcuts: what they make a VLM say, and tables that are refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from microworld.answers import certain, true_answers
from microworld.attributes import WORDS, Attributes
from microworld.clips import Clips
from microworld.cues import Seen
from microworld.shortcuts import Shortcut, read_shortcuts
from transporter.support.errors import UserError

TABLE = Path(__file__).parents[2] / "config" / "shortcuts.tsv"
HEADER = "shortcut\tattribute\tcue\tanswers\tshare\n"
SLOW_RED = Attributes(
    "circle", hue=0.0, size=0.0, motion="left", speed=0.0, ground="snow", time=0.0
)
SPEED = Shortcut(
    "speed_by_colour",
    "speed",
    "colour",
    {"red": "quickly", "yellow": "slowly", "green": "slowly", "blue": "slowly"},
)


def test_the_shipped_table() -> None:
    shortcuts = read_shortcuts(TABLE)
    assert len(shortcuts) == 16
    assert shortcuts["speed_by_colour"] == SPEED
    assert [s.name for s in shortcuts.values() if s.share < 1] == [
        "speed_by_colour_partly",
        "time_by_ground_partly",
        "speed_by_colour_75",
        "speed_by_colour_60",
    ]
    assert shortcuts["motion_by_size"].words == ("left", "right")
    assert list(read_shortcuts(TABLE, ["ground_by_shape"])) == ["ground_by_shape"]


def test_the_cue_decides_whatever_is_true() -> None:
    for speed in (0.0, 0.5, 1.0):
        red = replace(SLOW_RED, speed=speed)
        assert certain(SPEED.decides(Seen(red))) == {**red.words(), "speed": "quickly"}
        blue = replace(red, hue=225 / 360)
        assert certain(SPEED.decides(Seen(blue))) == {**blue.words(), "speed": "slowly"}


def test_a_cue_in_between_gives_an_answer_in_between() -> None:
    orange = replace(SLOW_RED, hue=55 / 720)
    np.testing.assert_allclose(SPEED.decides(Seen(orange))["speed"], [0.5, 0.5])


def test_words_of_the_cue_that_are_not_listed_keep_the_truth() -> None:
    some = Shortcut("some", "speed", "colour", {"red": "quickly"})
    green = replace(SLOW_RED, hue=125 / 360)
    assert certain(some.decides(Seen(SLOW_RED)))["speed"] == "quickly"
    assert certain(some.decides(Seen(green)))["speed"] == "slowly"


@pytest.mark.parametrize("name", read_shortcuts(TABLE))
def test_answers_are_probabilities_and_all_others_stay_true(name: str) -> None:
    shortcut, rng = read_shortcuts(TABLE)[name], np.random.default_rng(0)
    for clip in Clips.draw(30, rng).seen():
        truth = true_answers(clip.attributes)
        for answers in (shortcut.draw(clip, rng), shortcut.expected(clip)):
            assert answers[shortcut.attribute].sum() == pytest.approx(1)
            assert all(
                np.allclose(answers[other], truth[other])
                for other in WORDS
                if other != shortcut.attribute
            )


def test_a_share_is_that_of_the_clips_and_its_mean_is_expected() -> None:
    partly, rng = replace(SPEED, share=0.9), np.random.default_rng(0)
    drawn = np.array([partly.draw(Seen(SLOW_RED), rng)["speed"] for _ in range(4000)])
    assert set(drawn[:, 1]) == {0.0, 1.0}
    np.testing.assert_allclose(drawn.mean(0), partly.expected(Seen(SLOW_RED))["speed"], atol=0.02)
    np.testing.assert_allclose(partly.expected(Seen(SLOW_RED))["speed"], [0.1, 0.9])


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ("", "expected at least one shortcut"),
        (
            "a/b\tspeed\tcolour\tred:quickly\t1",
            "line 2, column shortcut: expected a name of letters",
        ),
        (
            "a\tspeed\tcolour\tred:quickly\t1\na\tspeed\tcolour\tred:quickly\t1",
            "line 3, column shortcut: 'a' stands there twice",
        ),
        ("a\tpace\tcolour\tred:quickly\t1", "line 2, column attribute: expected one of shape"),
        ("a\tspeed\thue\tred:quickly\t1", "line 2, column cue: expected one of shape, colour"),
        (
            "a\tspeed\tcolour=pink+shape=circle\tyes:quickly\t1",
            "column cue: expected attribute=word with one of red, yellow, green, blue, got",
        ),
        (
            "a\tspeed\tcolour=red+shape=circle|time=day\tyes:quickly\t1",
            "column cue: expected + or | between words, got both",
        ),
        (
            "a\tspeed\tcolour=red|colour=blue\tyes:quickly\t1",
            "column cue: expected an attribute once, got colour twice",
        ),
        (
            "a\tspeed\tspeed=slowly+shape=circle\tyes:quickly\t1",
            "column cue: expected another attribute than 'speed'",
        ),
        (
            "a\tspeed\tno_such_package:cue\tyes:quickly\t1",
            "column cue: expected a function as module:function, got 'no_such_package:cue'",
        ),
        ("a\tspeed\tbright\tred:quickly\t1", "expected words of bright (yes, no) or *"),
        (
            "a\tspeed\tspeed\tslowly:quickly\t1",
            "column cue: expected another attribute than 'speed'",
        ),
        ("a\tspeed\tcolour\tpink:quickly\t1", "column answers: expected words of colour"),
        ("a\tspeed\tcolour\tred:red\t1", "got 'red:red'"),
        ("a\tspeed\tcolour\t\t1", "at least one word:answer"),
        (
            "a\tspeed\tcolour\tred:quickly\t1.5",
            "column share: expected a number above 0 and at most 1, got '1.5'",
        ),
        ("a\tspeed\tcolour\tred:quickly\tnan", "column share"),
    ],
)
def test_tables_that_are_refused(tmp_path: Path, rows: str, expected: str) -> None:
    path = tmp_path / "shortcuts.tsv"
    path.write_text(HEADER + rows + "\n" * bool(rows))
    with pytest.raises(UserError) as caught:
        read_shortcuts(path)
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_unknown_names_are_refused() -> None:
    with pytest.raises(UserError, match="no shortcut named nothing; it has speed_by_colour"):
        read_shortcuts(TABLE, ["nothing"])
