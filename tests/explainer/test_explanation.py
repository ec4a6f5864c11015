"""An explanation as an object: what it writes and shows."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import pytest
import torch

from transporter import Concept, Explanation
from transporter.clips.reading import read_video
from transporter.support.files import read_table

CONCEPT = Concept("day_night", "scene", "day", "night", "what time is it ?")


@pytest.fixture
def explanation() -> Explanation:
    """Clips that grow brighter with phi, of which the VLM says day, then night."""
    grey = torch.tensor([0.2, 0.8]).view(2, 1, 1, 1, 1)
    odds = torch.tensor([-3.0, 1.0])
    return Explanation(
        CONCEPT,
        "a <b>circle</b> by day",
        7,
        (0.0, 1.0),
        torch.zeros(2, 4, 2, 3, 3),
        grey.expand(2, 5, 3, 64, 64),
        odds,
        None,
        8,
    )


def test_shares_and_answers_are_of_the_log_odds(explanation: Explanation) -> None:
    expected = torch.tensor([1 / (1 + 2.718281828**3), 1 / (1 + 2.718281828**-1)])
    torch.testing.assert_close(explanation.shares, expected)
    assert explanation.answers == {0.0: "day 95%", 1.0: "night 73%"}


def test_what_is_saved(explanation: Explanation, tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    explanation.save(folder)
    table = read_table(folder / "readings.tsv", ("phi", "log_odds", "answer", "clip"))
    assert table["log_odds"].tolist() == [-3, 1]
    for clip, video in zip(table["clip"], explanation.video, strict=True):
        torch.testing.assert_close(read_video(folder / clip, 5, 64, 64), video, atol=0.02, rtol=0)
    assert (folder / "filmstrip.png").read_bytes().startswith(b"\x89PNG")
    explanation.save(folder)
    names = {path.name for path in folder.iterdir()}
    assert names == {"clips", "filmstrip.png", "readings.tsv"}


def test_a_page_holds_the_clips_themselves(explanation: Explanation, tmp_path: Path) -> None:
    page = explanation.html()
    clips = re.findall(r'src="data:video/mp4;base64,([^"]+)"', page)
    assert len(clips) == 2
    for clip, video in zip(clips, explanation.video, strict=True):
        (tmp_path / "clip.mp4").write_bytes(base64.b64decode(clip))
        read = read_video(tmp_path / "clip.mp4", 5, 64, 64)
        torch.testing.assert_close(read, video, atol=0.02, rtol=0)
    assert "<b>circle</b>" not in page
    assert "night 73%" in page


def test_outside_of_a_notebook_it_shows_as_text(
    explanation: Explanation, capsys: pytest.CaptureFixture[str]
) -> None:
    explanation.show()
    shown = capsys.readouterr().out
    assert "seed 7" in shown
    assert re.search(r"0\.00 +-3\.00 +day 95%", shown)
