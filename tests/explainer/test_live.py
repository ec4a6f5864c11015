"""The live explorer without its page, under stand-ins of known behaviour (`greys`)."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from greys import LIGHT, GreysExplainer, grey

from transporter.clips.writing import write_video
from transporter.explainer import live, live_clips
from transporter.explainer.live import Asked, LiveExplorer
from transporter.explainer.lru import LRU
from transporter.support.errors import UserError

WORDS = ("dark", "bright")


def explorer(threshold: float = 0.5, **samples: Path) -> LiveExplorer:
    return LiveExplorer(GreysExplainer(threshold), samples)


@pytest.fixture
def dark(tmp_path: Path) -> Path:
    path = tmp_path / "secret" / "dark.mp4"
    path.parent.mkdir()
    write_video(path, grey(0.2), 8.0)
    return path


@pytest.fixture
def long(tmp_path: Path) -> Path:
    """Three parts of 0.625 s: dark, bright and dark again."""
    path = tmp_path / "long.mp4"
    write_video(path, torch.cat([grey(level) for level in (0.2, 0.8, 0.3)]), 8.0)
    return path


def asked(made: LiveExplorer, path: Path, words: tuple[str, str] = WORDS) -> Asked:
    return Asked(made.open(path, "mine.mp4").key, LIGHT.question, words)


def test_a_strength_is_made_once(dark: Path) -> None:
    """Five times the same is one edit, and that of strength 0 to compare it with."""
    made = explorer()
    first = [made.edit(asked(made, dark), 0.25) for _ in range(5)]
    assert made.explainer.made == [0.25, 0]
    assert len(set(map(id, first))) == 1
    assert first[0].log_odds == pytest.approx(-1.5, abs=0.1)
    assert float(first[0].difference.mean()) == pytest.approx(0.15, abs=0.01)
    assert first[0].changed == 1
    made.edit(asked(made, dark, ("bright", "dark")), 0.25)
    assert len(made.explainer.made) == 4  # other words are another change


def test_the_least_flip_is_found_and_kept(dark: Path) -> None:
    made, done = explorer(), []
    found = made.least(asked(made, dark), lambda *counts: done.append(counts))
    assert found is not None
    assert 0.5 < found.phi <= 0.52
    assert found.log_odds > 0
    assert done == [(number, 9) for number in range(9)]
    tried = made.tried(asked(made, dark))
    assert [edit.phi for edit in tried] == sorted(set(made.explainer.made))
    assert found in tried
    made.least(asked(made, dark), lambda *counts: None)
    assert len(made.explainer.made) == 9
    assert explorer(3.0).tried(asked(made, dark)) == []


def test_an_answer_that_never_flips(dark: Path) -> None:
    made = explorer(threshold=0.9)
    assert made.least(asked(made, dark), lambda *counts: None) is None


def test_one_video_under_two_names_is_one_clip(dark: Path) -> None:
    made = explorer(**{"dark.mp4": dark})
    clip = made.sample("dark.mp4")
    assert clip.key == made.open(dark, "mine.mp4").key
    assert (clip.begin, clip.end) == (0, 0.625)
    assert clip.whole == pytest.approx(0.625)


def test_the_last_clips_and_edits_are_kept(dark: Path, tmp_path: Path) -> None:
    made = explorer()
    first = asked(made, dark)
    for level in range(live.OPENED):
        path = tmp_path / f"{level}.mp4"
        write_video(path, grey(0.3 + level / 20), 8.0)
        made.open(path, path.name)
    with pytest.raises(UserError, match="choose or upload it again"):
        made.edit(first, 0.5)
    kept: LRU[int] = LRU(2)
    for key in (1, 2, 1, 3):
        kept.get(key, lambda key=key: 10 * key)
    assert kept.kept == {1: 10, 3: 30}


def test_a_part_of_a_long_clip_is_chosen(long: Path) -> None:
    made = explorer()
    first = made.open(long, "mine.mp4")
    assert (first.begin, first.end) == (0, 0.625)
    second = made.part(first.key, 0.625, 0.625)
    assert (second.begin, second.end) == (0.625, 1.25)
    assert float(second.video.mean()) == pytest.approx(0.8, abs=0.01)
    assert made.part(second.key, None, None).key == first.key
    assert made.part(first.key, 1.25, None).end == pytest.approx(1.875)
    change = made.change(Asked(second.key, LIGHT.question, WORDS))
    assert change.concept.source == "bright"  # of this part, not of the first


def test_speed_is_asked_of_parts_at_their_rate_alone(long: Path) -> None:
    made, words = explorer(), ("dark", "bright")
    clip = made.open(long, "mine.mp4")
    for seconds, able in ((0.625, True), (1.25, False)):
        part = made.part(clip.key, 0.25, seconds)
        question = Asked(part.key, "how fast does it get bright ?", words)
        if able:
            assert made.change(question)
            continue
        with pytest.raises(UserError, match="is about speed: expected frames of a known rate"):
            made.change(question)


@pytest.mark.parametrize(
    ("start", "seconds", "given"),
    [
        (1.875, None, "one from 1.875 s on"),
        (-0.1, None, "one from -0.1 s on"),
        (float("nan"), 1, "1 s from nan s on"),
        (0, 0, "0 s from 0 s on"),
        (0, float("inf"), "inf s from 0 s on"),
        (1.5, 0.5, "0.5 s from 1.5 s on"),
    ],
)
def test_a_part_lies_within_its_clip(
    long: Path, start: float, seconds: float | None, given: str
) -> None:
    made = explorer()
    key = made.open(long, "mine.mp4").key
    with pytest.raises(
        UserError, match=rf"^mine\.mp4: expected a part of its 1\.88 s, got {given}"
    ):
        made.part(key, start, seconds)


def test_a_part_of_a_video_that_is_gone(long: Path) -> None:
    made = explorer()
    key = made.open(long, "mine.mp4").key
    long.unlink()
    with pytest.raises(UserError, match=r"^mine\.mp4: .* that is still here"):
        made.part(key, 0.5, None)


def test_a_word_is_looked_for_once(long: Path) -> None:
    made = explorer()
    part = made.part(made.open(long, "mine.mp4").key, 0.625, 0.625)
    first, second = (made.located(part.key, "room") for _ in range(2))
    assert first is second and made.explainer.located == [("room", None)]
    # of five latent frames, the first of which stands for one frame, the last but one
    assert (first.begin, first.end) == pytest.approx((0.625 + 3 / 8, 0.625 + 4 / 8))
    for word, message in (("", "expected one to look for"), ("x" * 501, "at most 500 letters")):
        with pytest.raises(UserError, match=f"word: .*{message}"):
            made.located(part.key, word)


def test_words_come_from_the_table() -> None:
    made = explorer()
    assert made.questions == [LIGHT.question]
    assert made.words(LIGHT.question) == ("dark", "bright")
    assert made.words("who is it ?") == ("", "")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"question": ""}, "expected a question and two different words"),
        ({"words": ("dark", "dark")}, "two different words"),
        ({"words": ("dark", "")}, "two different words"),
        ({"caption": "a room"}, "expected one that holds 'dark' or 'bright'"),
        ({"caption": "x" * 501}, "caption: expected at most 500 letters, got 501"),
        ({"question": "a\x1b[31m ?"}, "question"),
        ({"clip": "elsewhere"}, "clip: expected one that is open"),
    ],
)
def test_bad_questions_are_refused(dark: Path, change: dict, message: str) -> None:
    made = explorer()
    with pytest.raises(UserError, match=message):
        made.edit(asked(made, dark)._replace(**change), 0.5)


@pytest.mark.parametrize("phi", [2.05, -3, float("nan"), float("inf")])
def test_strengths_have_a_limit(dark: Path, phi: float) -> None:
    made = explorer()
    with pytest.raises(UserError, match="phi: expected at most 2 in size"):
        made.edit(asked(made, dark), phi)
    assert made.explainer.made == []


def test_large_long_and_broken_videos_are_refused_without_their_place(
    dark: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = explorer()
    with pytest.raises(UserError, match="expected one of those to pick"):
        made.sample("../dark.mp4")
    broken = dark.with_name("broken.mp4")
    broken.write_bytes(b"no video")
    for limit, value, path in (
        ("MEGABYTES", 1e-4, dark),
        ("SECONDS", 0.5, dark),
        ("SECONDS", 120, broken),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(live_clips, limit, value)
            with pytest.raises(UserError, match=r"^mine\.mp4: ") as refused:
                made.open(path, "mine.mp4")
        assert "secret" not in str(refused.value)
