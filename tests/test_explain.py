"""`transporter explain` on the shipped models, in few steps."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch

from microworld.dataset import make_clip
from transporter.cli import main
from transporter.clips.reading import read_video
from transporter.clips.writing import write_video
from transporter.explainer import folder
from transporter.explainer.one_clip import TOLD

QUESTION = "what time is it ?"
QUICK = ("--phi", "0", "--phi", "1")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A rendered clip in which the time of day shows."""
    path = tmp_path_factory.mktemp("own") / "clip.mp4"
    found = (make_clip(index, 0, False) for index in range(100))
    made = next(made for made in found if made.attributes.time > 0.9)
    write_video(path, made.video, 8)
    return path


def _enlarged(video: torch.Tensor) -> torch.Tensor:
    """As large as an overlay, with room for its scale."""
    large = video.repeat_interleave(4, 2).repeat_interleave(4, 3)
    return torch.nn.functional.pad(large, (0, 316 - 256))


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]):
    """The one line of a command that is refused."""

    def run(*arguments: str) -> str:
        with pytest.raises(SystemExit) as end:
            main(["explain", *arguments])
        assert end.value.code == 2
        return capsys.readouterr().err

    return run


def test_a_folder_tells_why(clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    with pytest.raises(SystemExit) as end:
        main(["explain", str(clip), "--question", QUESTION, *QUICK, "--out", str(out)])
    assert end.value.code == 0, capsys.readouterr().err
    numbers = json.loads((out / folder.NUMBERS).read_text())
    assert (numbers["answer"], numbers["other"]) == ("day", "night")
    assert numbers["log_odds"] < 0 < numbers["flip"]["log_odds"]
    assert numbers["control_log_odds"] < 0
    assert 0 < numbers["flip"]["phi"] <= 1
    readings = pd.read_csv(out / folder.READINGS, sep="\t")
    assert readings["phi"].tolist() == [0, 1]
    assert readings["changed"].tolist()[0] == 0 < readings["changed"].tolist()[1]
    words = pd.read_csv(out / folder.WORDS, sep="\t")
    assert words.loc[0, ["word", "instead"]].tolist() == ["day", "night"]
    page = (out / folder.PAGE).read_text()
    assert page.count('<td class="swap"><video') == 2 * min(len(words), TOLD)
    assert numbers["verdict"] in page.replace("&#39;", "'")
    assert {path.name for path in out.iterdir()} == set(folder.FILES) - {folder.OTHER}
    where = read_video(out / folder.WHERE, 17, 256, 316)
    assert "where and when <b" in page
    # night is above all in the sky: in its upper half the map lies heavier
    heavier = (where - _enlarged(read_video(out / folder.EDITED, 17, 64, 64))).abs().mean((0, 1))
    assert heavier[:128, :256].mean() > heavier[128:, :256].mean()
    assert all(path.stat().st_size for path in out.iterdir())
    assert "wrote" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "expected either --question or --concept"),
        (("--question", QUESTION, "--concept", "day_night"), "either --question or --concept"),
        (("--concept", "day_night", "--words", "day", "night"), "expected a --question"),
        (("--question", QUESTION, "--words", "day", "day"), "expected two different words"),
        (("--question", QUESTION, "--start", "-1"), "--start: expected at least 0 seconds, got -1"),
        (("--question", "a\x1b[31m ?"), "--question"),
    ],
)
def test_bad_arguments_are_refused_before_a_model_is_loaded(
    clip: Path, refused, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], message: str
) -> None:
    monkeypatch.setitem(sys.modules, "transporter.explainer.explainer", None)
    assert message in refused(str(clip), *options)


def test_another_folder_is_not_deleted(clip: Path, refused, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    line = refused(str(clip), "--question", QUESTION, "--out", str(tmp_path), "--force")
    assert "which also holds thesis.tex" in line
    assert (tmp_path / "thesis.tex").exists()


def test_no_video_and_no_words_are_said(clip: Path, refused, tmp_path: Path) -> None:
    assert "found no such file" in refused(str(tmp_path / "no.mp4"), "--question", QUESTION)
    out = ("--out", str(tmp_path / "out"))
    assert "by --words" in refused(str(clip), "--question", "who is it ?", *out)
    assert "choose by --concept" in refused(str(clip), "--question", "what is the ground ?", *out)
    caption = ("--caption", "a red circle moves left on grass")
    line = refused(str(clip), "--question", QUESTION, *caption, *out)
    assert "caption: expected one that holds 'day' or 'night'" in line
    assert not (tmp_path / "out").exists()
