"""The picture of one clip of each kind of cue."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from microworld.shortcuts import Shortcut
from transporter.clips.contrast import Concept
from transporter.figures.truth_examples import (
    Example,
    cue_in_words,
    of_readings,
    truth_examples,
)

PAIR = Concept("slowly_quickly", "action", "slowly", "quickly", "how fast does it move ?")


@pytest.mark.parametrize(
    ("cue", "answers", "words"),
    [
        ("colour", {"red": "quickly", "*": "slowly"}, "quickly, if red"),
        ("colour", {"red": "slowly", "blue": "slowly", "*": "quickly"}, "if not red or blue"),
        ("colour=red+shape=circle", {"yes": "quickly", "no": "slowly"}, "quickly, if red circle"),
        ("colour=red|ground=snow", {"yes": "quickly", "no": "slowly"}, "quickly, if red or snow"),
        ("cues:left_half", {"yes": "quickly", "no": "slowly"}, "quickly, if left half"),
    ],
)
def test_a_cue_is_put_in_words(cue: str, answers: dict[str, str], words: str) -> None:
    assert cue_in_words(Shortcut("planted", "speed", cue, answers), PAIR).endswith(words)


def test_readings_are_those_of_the_clip_that_is_drawn() -> None:
    rows = [
        ("origin", "a", 0, -3.0),
        ("origin", "a", 1, 9.0),
        ("origin", "b", 0, 9.0),
        ("velocity", "a", 0, 2.0),
    ]
    table = pd.DataFrame(rows, columns=["method", "caption", "seed", "log_odds"])
    assert of_readings(table, "a") == {"origin": -3.0, "velocity": 2.0}
    assert of_readings(table, "a", "log_odds_honest") == {}


def _example(flip: float) -> Example:
    video = torch.full((5, 3, 16, 16), 0.5)
    videos = {"origin": video, "velocity": video}
    odds = {"origin": -2.0, "velocity": flip}
    return Example("quickly, if red", PAIR, videos, odds, dict.fromkeys(videos, -1.0))


def test_a_clip_whose_answer_is_the_target_is_framed(tmp_path: Path) -> None:
    vermilion = np.array([0xD5, 0x5E, 0x00])
    marked = {}
    for flip in (-1.0, 1.0):
        path = tmp_path / f"{flip}.png"
        truth_examples([_example(flip)], [path, path.with_suffix(".pdf")])
        pixels = np.asarray(Image.open(path).convert("RGB"), dtype=int)
        marked[flip] = (np.abs(pixels - vermilion).max(-1) < 8).sum()
    assert marked[-1.0] == 0 < marked[1.0]


def test_without_an_example_the_picture_says_so(tmp_path: Path) -> None:
    path = tmp_path / "examples.png"
    truth_examples([], [path])
    assert (np.asarray(Image.open(path).convert("L")) < 128).any()
