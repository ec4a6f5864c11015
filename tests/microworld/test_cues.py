"""Cues: what they say of clips, how words bring them about, and functions of strangers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from microworld.attributes import Attributes
from microworld.clips import Clips
from microworld.cues import MARK, Seen, cue_words, find_cue
from microworld.shortcuts import Shortcut
from transporter.support.errors import UserError

RED_CIRCLE = Attributes(
    "circle", hue=0.0, size=0.0, motion="left", speed=0.0, ground="sand", time=0.0
)
ANSWERS = {"yes": "quickly", "no": "slowly"}


def _yes(text: str, clip: Seen) -> float:
    yes, no = find_cue(text).probabilities(clip)
    assert yes + no == pytest.approx(1)
    return float(yes)


@pytest.mark.parametrize(
    ("change", "both", "either"),
    [
        ({}, 1, 1),
        ({"shape": "square"}, 0, 1),
        ({"hue": 225 / 360}, 0, 1),
        ({"shape": "square", "hue": 225 / 360}, 0, 0),
        ({"hue": 55 / 720}, 0.5, 1),
        ({"hue": 55 / 720, "shape": "square"}, 0, 0.5),
    ],
)
def test_conditions_hold_as_their_words_fit(change: dict, both: float, either: float) -> None:
    clip = Seen(replace(RED_CIRCLE, **change))
    assert _yes("colour=red+shape=circle", clip) == pytest.approx(both)
    assert _yes("colour=red|shape=circle", clip) == pytest.approx(either)


def test_words_bring_a_condition_about_and_break_it() -> None:
    both, either = find_cue("colour=red+shape=circle"), find_cue("colour=red|shape=circle")
    known = {"colour": "red", "shape": "circle"}
    assert both.put("yes", {"colour": "blue"}) == {"colour": "red", "shape": "circle"}
    assert both.put("no", known) == {"colour": "yellow"}
    assert either.put("yes", {}) == {"colour": "red"}
    assert either.put("no", known) == {"colour": "yellow", "shape": "square"}
    assert find_cue("bright").put("yes", known) is None


def test_functions_are_those_of_the_rendered_clip() -> None:
    """Each about as often yes as no, and as an own look at the pixels says."""
    clips = Clips.draw(60, np.random.default_rng(0))
    video, masks = clips.render()
    seen = clips.seen()
    for name in ("left_half", "bright", "watermark", "flicker"):
        assert 0.25 < np.mean([_yes(name, clip) for clip in seen]) < 0.75
    columns = np.arange(64) + 0.5
    centre = [float((mask[0].sum(0).numpy() * columns).sum() / mask[0].sum()) for mask in masks]
    agree = [
        (x < 32) == bool(_yes("left_half", clip)) for x, clip in zip(centre, seen, strict=True)
    ]
    assert np.mean(agree) > 0.95
    light = video.mean((1, 2, 3, 4)).numpy()
    assert [bool(_yes("bright", clip)) for clip in seen] == (light > 0.5).tolist()


def test_a_watermark_is_painted_where_it_says_yes_and_nowhere_else() -> None:
    clips = Clips.draw(20, np.random.default_rng(1))
    video, seen = clips.video(), clips.seen()
    painted = find_cue("watermark").paint(video, seen)
    changed = (painted != video).any(2)  # (B, T, H, W)
    marked = [bool(_yes("watermark", clip)) for clip in seen]
    assert changed.flatten(1).any(1).tolist() == marked
    assert not changed[..., :-MARK, :].any() and not changed[..., :-MARK].any()
    assert find_cue("colour").paint(video, seen) is video


def test_every_second_frame_of_a_clip_that_flickers_is_darker() -> None:
    clips = Clips.draw(20, np.random.default_rng(1))
    video, seen = clips.video(), clips.seen()
    change = (find_cue("flicker").paint(video, seen) / video.clamp(min=1e-6)).mean((2, 3, 4))
    marked = [bool(_yes("flicker", clip)) for clip in seen]
    assert (change[:, 1::2] < 0.81).all(1).tolist() == marked
    assert (change[:, ::2] > 0.99).all()


def test_functions_tell_by_the_pixels_alone() -> None:
    clips = Clips.draw(60, np.random.default_rng(2))
    video, seen = clips.video(), clips.seen()
    exact = dict.fromkeys(("bright", "watermark", "flicker"), 1.0)
    for name, least in ({"left_half": 0.95} | exact).items():
        cue = find_cue(name)
        by_pixels = cue.look(cue.paint(video, seen)).tolist()
        agree = [yes == _yes(name, clip) for yes, clip in zip(by_pixels, seen, strict=True)]
        assert np.mean(agree) >= least, name
    assert not find_cue("watermark").look(video).any()
    assert not find_cue("flicker").look(video).any()
    assert find_cue("colour").look(video) is find_cue("colour=red+shape=circle").look(video) is None
    shortcut = Shortcut("light", "time", "bright", {"yes": "night", "no": "day"})
    assert (shortcut.look("night", video) + shortcut.look("day", video)).eq(1).all()


def test_a_strangers_function_is_a_cue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_cues.py").write_text(
        "def fast(clip):\n    return clip.attributes.speed\n\ndef wrong(clip):\n    return 2\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    shortcut = Shortcut("size_by_pace", "size", "own_cues:fast", {"yes": "large", "no": "small"})
    clip = Seen(replace(RED_CIRCLE, speed=0.25))
    np.testing.assert_allclose(shortcut.decides(clip)["size"], [0.75, 0.25])
    assert shortcut.attributes is None and shortcut.bringing("large", {}) is None
    assert cue_words("own_cues:fast") == ("yes", "no")
    with pytest.raises(UserError, match=r"cue wrong: expected a number in \[0, 1\]"):
        find_cue("own_cues:wrong").probabilities(clip)
    with pytest.raises(UserError, match="expected a function 'slow' in own_cues, found none"):
        find_cue("own_cues:slow")
