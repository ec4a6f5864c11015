"""A long clip in windows, and questions about speed, under stand-ins of known behaviour."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from greys import LIGHT, GreysExplainer, grey

from transporter.clips.split import Reading
from transporter.clips.window import Window
from transporter.clips.writing import write_video
from transporter.explainer.folder import NUMBERS, PAGE
from transporter.explainer.speed import asks_speed, keeps_speed
from transporter.explainer.windows import (
    ExplainedWindow,
    Request,
    explain_windows,
    windows,
    write_windows,
)
from transporter.support.errors import UserError

CAPTION = "a dark room"
FAST = replace(LIGHT, question="how fast does it move ?")


@pytest.fixture
def long(tmp_path: Path) -> Path:
    """Three windows of 0.625 s: dark, bright and dark again."""
    path = tmp_path / "long.mp4"
    write_video(path, torch.cat([grey(level) for level in (0.2, 0.8, 0.3)]), 8.0)
    return path


def request(path: Path, caption: str | None = CAPTION) -> Request:
    return Request(path, LIGHT, caption, (0.0, 0.5, 1.0), 0)


def test_windows_lie_side_by_side() -> None:
    first = Window(0.5)
    assert [part.start for part in windows(3.0, first, 5, 8, 0)] == [0.5, 1.125, 1.75, 2.375]
    assert [part.start for part in windows(3.0, first, 5, 8, 2)] == [0.5, 2.375]
    assert windows(3.0, first, 5, 8, 1) == [first]
    assert windows(1.0, first, 5, 8, 0) == [first]
    whole = Window(0.0, "all")
    assert windows(3.0, whole, 5, 8, 0) == [whole]


def test_every_window_is_explained_and_listed(long: Path, tmp_path: Path) -> None:
    made = list(explain_windows(GreysExplainer(), request(long), None, 0))
    assert [part.seconds for part in made] == ["0.00 to 0.62 s", "0.62 to 1.25 s", "1.25 to 1.88 s"]
    assert [part.found.concept.source for part in made] == ["dark", "bright", "dark"]
    assert [round(part.found.flip.phi, 1) for part in made] == [0.5, 0.5, 0.3]
    out = tmp_path / "out"
    write_windows(out, request(long), made)
    assert {path.name for path in out.iterdir()} == {"00", "01", "02", PAGE, NUMBERS}
    text = (out / PAGE).read_text()
    for number, part in enumerate(made):
        assert f'<a href="0{number}/page.html">{part.seconds}</a>' in text
        assert part.details["seconds"] in (out / f"0{number}" / PAGE).read_text()
    assert text.count("data:video/mp4;base64,") == 6 and "http" not in text
    assert "3 windows; the answer flips in 3" in text
    numbers = json.loads((out / NUMBERS).read_text())["windows"]
    assert [part["begin"] for part in numbers] == [0, 0.625, 1.25]
    assert [part["answer"] for part in numbers] == ["dark", "bright", "dark"]


def test_one_window_is_a_folder_as_before(long: Path, tmp_path: Path) -> None:
    made = list(explain_windows(GreysExplainer(), request(long), 0.625, 1))
    write_windows(tmp_path / "out", request(long), made)
    assert json.loads((tmp_path / "out" / NUMBERS).read_text())["answer"] == "bright"


def test_a_window_that_cannot_be_explained_is_left_out(long: Path, tmp_path: Path) -> None:
    explainer = GreysExplainer()
    captions = iter(["a dark room", "a room", "a bright room"])
    explainer.vlm.caption = lambda tokens: [next(captions)]
    made = list(explain_windows(explainer, request(long, None), None, 0))
    assert [part.found is None for part in made] == [False, True, False]
    write_windows(tmp_path / "out", request(long), made)
    text = (tmp_path / "out" / PAGE).read_text()
    assert "0.62 to 1.25 s" in text and "left out: caption: expected one that holds" in text
    assert not (tmp_path / "out" / "01").exists()
    bad = [ExplainedWindow(0, 1, None, "no words")]
    with pytest.raises(UserError, match="no window can be explained: no words"):
        write_windows(tmp_path / "none", request(long), bad)
    assert not (tmp_path / "none").exists()
    with pytest.raises(UserError, match="caption: expected one that holds"):
        list(explain_windows(GreysExplainer(), request(long, "a room"), None, 1))


def test_speed_is_asked_of_frames_at_their_rate_alone(long: Path) -> None:
    spread = GreysExplainer(reading=Reading(seconds="all"))
    asked = replace(request(long), concept=FAST)
    with pytest.raises(UserError, match="is about speed: expected frames of a known rate, 8 a"):
        list(explain_windows(spread, asked, None, 1))
    assert list(explain_windows(spread, request(long), None, 1))
    assert list(explain_windows(GreysExplainer(), asked, None, 1))
    with pytest.raises(UserError, match="spread by clips"):
        spread.explain(long, FAST, CAPTION)
    with pytest.raises(UserError, match="got frames alone; tell their rate by `fps`"):
        GreysExplainer().explain(grey(0.2), FAST, CAPTION)
    assert GreysExplainer().explain(grey(0.2), FAST, CAPTION, fps=8).flip
    assert GreysExplainer().explain(grey(0.2), LIGHT, CAPTION).flip


def test_what_is_about_speed() -> None:
    assert asks_speed(FAST)
    assert asks_speed(replace(LIGHT, source="Slowly", question="how does it move ?"))
    assert not asks_speed(replace(LIGHT, question="is it fasting in the breakfast room ?"))
    assert keeps_speed(Window(), 5, 8) and keeps_speed(Window(1.0, 0.625), 5, 8)
    assert not keeps_speed(Window(0, 2.0), 5, 8) and not keeps_speed(Window(0, "all"), 5, 8)
