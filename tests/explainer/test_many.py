"""Many clips explained, under the stand-ins of one explained clip: greys, and a VLM that says
"bright" above a threshold.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
import torch
from greys import LIGHT, GreysExplainer, grey
from scipy.stats import beta

from transporter.clips.contrast import Concept
from transporter.clips.reading import read_video
from transporter.clips.window import Window
from transporter.explainer import one_clip
from transporter.explainer.counts import COLUMNS, READ, SUMMARY, Explained, summary
from transporter.explainer.folder import EDITED, FILES, NUMBERS, OTHER, PAGE, WHERE, WORDS
from transporter.explainer.many import Example, pick, write_explanations
from transporter.explainer.many_page import page
from transporter.explainer.one_clip import ExplainedClip, explain_clip
from transporter.explainer.speed import refuse_spread
from transporter.support.errors import UserError

CAPTION = "a dark room"


class _Probes:
    """Read the light rightly, and the room as a cave once it is lighter than a quarter."""

    vocabulary = {"light": ("dark", "bright"), "place": ("room", "cave")}  # noqa: RUF012

    def probabilities(self, video: torch.Tensor) -> dict[str, torch.Tensor]:
        grey = video.mean((1, 2, 3, 4))
        light, cave = (grey > 0.5).float(), (grey > 0.25).float()
        return {
            "light": torch.stack([1 - light, light], 1),
            "place": torch.stack([1 - cave, cave], 1),
        }


class _Explainer(GreysExplainer):
    """Of three swaps it ranks, one is of no other words and one takes the room away."""

    def discover(
        self, video: torch.Tensor, question: str, caption: str
    ) -> tuple[str, pd.DataFrame]:
        rows = [("bright", "dark", -1.0), ("dark", "bright", 5.0), ("room", "lamp", 4.0)]
        table = pd.DataFrame(rows, columns=["word", "instead", "moves"])
        return "dark", table.assign(visual=0.5)

    def pictured(self, video: torch.Tensor, captions: Sequence[str]) -> torch.Tensor:
        return torch.stack([video] * len(captions))


def example(name: str, caption: str = CAPTION, threshold: float = 0.5) -> Example:
    def explained() -> ExplainedClip:
        phi, explainer = (0.0, 0.5, 1.0), _Explainer(threshold)
        return explain_clip(explainer, grey(0.2), LIGHT, caption, phi, rank_all=False)

    return Example(name, explained, {"video": name})


def test_every_clip_has_its_folder_and_its_row(tmp_path: Path) -> None:
    examples = [example("day1/a.mp4"), example("b.mp4", threshold=3.0)]
    table = write_explanations(tmp_path / "out", examples, _Probes())
    assert table["folder"].tolist() == ["00", "01"]
    assert table["clip"].tolist() == ["day1/a.mp4", "b.mp4"]
    assert table["flip"].tolist() == [1, 0]
    assert table.loc[0, "phi"] == pytest.approx(0.5, abs=0.05)
    assert table["hit"].tolist() == [1, 1]  # the largest edit is bright, whatever the VLM says
    assert table["kept"].tolist() == [0, 0]
    assert table["moved"].tolist() == ["place", "place"]
    assert table["named"].tolist() == ["light", ""]  # the second's answer flips by no edit
    for folder in table["folder"]:
        names = {path.name for path in (tmp_path / "out" / folder).iterdir()}
        assert names - {WORDS} == set(FILES) - {WORDS, OTHER, WHERE}


def test_a_clip_that_cannot_be_explained_is_left_out_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = write_explanations(
        tmp_path / "out", [example("a.mp4", "a room"), example("b.mp4")], None
    )
    assert table["clip"].tolist() == ["b.mp4"]
    assert tuple(table.columns) == COLUMNS
    assert "a.mp4 left out: caption: expected one that holds 'dark'" in capsys.readouterr().out


def test_other_words_are_tried_where_those_of_the_question_fail(tmp_path: Path) -> None:
    """A lamp is as bright as 1.6, and this VLM says bright above 0.9."""
    table = write_explanations(tmp_path / "out", [example("a.mp4", threshold=0.9)], None)
    assert table[["flip", "by"]].to_numpy().tolist() == [[0, "room to lamp"]]
    assert (tmp_path / "out" / "00" / OTHER).stat().st_size
    text = (tmp_path / "out" / "00" / PAGE).read_text()
    assert "Other words do: from room to lamp" in text
    assert "of the edit from room to lamp on, the VLM answers" in text
    numbers = json.loads((tmp_path / "out" / "00" / NUMBERS).read_text())
    assert numbers["flip"] is None and numbers["otherwise"]["swap"] == ["room", "lamp"]
    assert 0 < numbers["otherwise"]["flip"]["phi"] < 1


class _SlowProbes(_Probes):
    """Never sure of the light: a cave is what they see come most."""

    def probabilities(self, video: torch.Tensor) -> dict[str, torch.Tensor]:
        sure = super().probabilities(video)
        return sure | {"light": 0.5 + 0.1 * (sure["light"] - 0.5)}


def test_what_changes_most_is_named_by_whichever_words(tmp_path: Path) -> None:
    examples = [example("a.mp4"), example("b.mp4", threshold=0.9), example("c.mp4", threshold=3.0)]
    table = write_explanations(tmp_path / "out", examples, _SlowProbes())
    assert table["by"].tolist() == ["", "room to lamp", ""]
    assert table["named"].tolist() == ["place", "place", ""]


def test_a_concept_none_of_whose_clips_can_be_explained_counts_none(tmp_path: Path) -> None:
    folder = tmp_path / "microworld" / "qwen2_vl" / "light"
    write_explanations(folder, [example("a.mp4", "a room")], _Probes())
    part = Explained.load(folder, tmp_path)
    table = summary([part])
    assert table["clips"].tolist() == [0]
    assert table[["flip_rate", "phi", "hit_rate"]].isna().all(axis=None)
    assert "What would change the answer?" in page([part], table, {"light": LIGHT})


def test_nothing_half_written_stays(tmp_path: Path) -> None:
    def broken() -> ExplainedClip:
        raise RuntimeError

    bad = replace(example("b.mp4"), explain=broken)
    with pytest.raises(RuntimeError):
        write_explanations(tmp_path / "out", [example("a.mp4"), bad], None)
    assert not list(tmp_path.iterdir())


def test_every_clip_has_the_map_of_its_new_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That of one clip alone (`edited_word`); greys have no attention, so it stands in."""
    monkeypatch.setattr(one_clip, "edited_word", lambda generator, found: 1 - found.edited)
    write_explanations(tmp_path / "out", [example("a.mp4")], None)
    folder = tmp_path / "out" / "00"
    shown, edited = (read_video(folder / name, 5, 16, 16).mean() for name in (WHERE, EDITED))
    assert float(shown) == pytest.approx(1 - float(edited), abs=0.02)
    assert "where and when <b" in (folder / PAGE).read_text()


def test_a_question_about_speed_is_refused_where_the_rate_is_unknown(tmp_path: Path) -> None:
    """Clip by clip, with the words of one clip explained alone, which the page tells."""
    fast = replace(LIGHT, question="how fast does it move ?")

    def explained(window: Window) -> ExplainedClip:
        refuse_spread(fast, window, 5, 8.0)
        return example("").explain()

    examples = [
        Example(name, partial(explained, window), {"video": name})
        for name, window in (("a.mp4", Window()), ("b.mp4", Window(0, "all")))
    ]
    folder = tmp_path / "microworld" / "qwen2_vl" / "fast"
    write_explanations(folder, examples, None)
    part = Explained.load(folder, tmp_path)
    assert (part.table["clip"].tolist(), part.left_out["clip"].tolist()) == (["a.mp4"], ["b.mp4"])
    text = page([part], summary([part]), {"fast": fast})
    assert "Left out, 1 of the clips drawn (b.mp4): " in text
    assert "is about speed: expected frames of a known rate, 8 a second" in text


def test_clips_are_drawn_at_random_among_those_that_hold_a_word() -> None:
    captions = ["a dark room", "a room", "a bright room", *["a dark cave"] * 20]
    rows = pick(LIGHT, captions, 5, seed=0)
    assert len(set(rows)) == 5 and 1 not in rows
    assert rows == pick(LIGHT, captions, 5, seed=0) != pick(LIGHT, captions, 5, seed=1)
    assert sorted(pick(LIGHT, captions[:3], 5, seed=0)) == [0, 2]
    with pytest.raises(UserError, match="concept heat: expected captions with 'cold' or 'hot'"):
        pick(Concept("heat", "scene", "cold", "hot", "?"), captions, 5, seed=0)


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str, _Probes | None], Explained]:
    def write(concept: str, probes: _Probes | None) -> Explained:
        folder = tmp_path / "microworld" / "qwen2_vl" / concept
        examples = [example("a.mp4"), example("b.mp4"), example("c.mp4", threshold=3.0)]
        write_explanations(folder, examples, probes)
        return Explained.load(folder, tmp_path)

    return write


def test_counts_have_exact_intervals(written) -> None:
    table = summary([written("light", _Probes()), written("other", _Probes())])
    assert tuple(table.columns) == SUMMARY
    assert table["concept"].tolist() == ["light", "other", "all"]
    row = table.iloc[0]
    assert (row["clips"], row["hit_rate"], row["others_kept"]) == (3, 1, 0)
    assert row["flip_rate"] == pytest.approx(2 / 3)
    assert row["flip_low"] == pytest.approx(beta.ppf(0.025, 2, 2))
    assert row["flip_high"] == pytest.approx(beta.ppf(0.975, 3, 1))
    assert row["moved"] == "place (3)"
    assert table.iloc[2]["moved"] == "place (6)"
    assert (row["named"], table.iloc[2]["named"]) == ("light (2)", "light (4)")


def test_without_probes_nothing_is_claimed_of_them(written) -> None:
    part = written("light", None)
    assert not set(READ) & set(part.table.columns)
    [row] = summary([part]).to_dict("records")
    assert pd.isna(row["hit_rate"]) and pd.isna(row["others_kept"]) and row["moved"] == ""


def test_the_page_links_every_clip_and_says_where_none_flips(written) -> None:
    part = written("light", None)
    text = page([part], summary([part]), {"light": LIGHT})
    for folder in ("00", "01", "02"):
        assert f'href="microworld/qwen2_vl/light/{folder}/page.html"' in text
        assert f'src="microworld/qwen2_vl/light/{folder}/edited.mp4"' in text
    assert text.count("never bright") == 1
    assert "67 %" in text
