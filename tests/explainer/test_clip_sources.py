"""Clips of a folder to fit on, some of which cannot be read."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import torch

from transporter.clips.contrast import Concept
from transporter.clips.writing import write_video
from transporter.explainer.clip_sources import as_clip, captioned_clips
from transporter.support.errors import UserError
from transporter.support.files import write_table

RED = Concept("mine", "object", "red", "blue", "what ?")
SHAPE = (8, 3, 32, 32)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, frames in (("short", 3), ("one", 8), ("two", 8)):
        video = torch.linspace(0, 1, frames).view(-1, 1, 1, 1).expand(-1, 3, 32, 32)
        write_video(tmp_path / "clips" / f"{name}.mp4", video, 8)
    (tmp_path / "clips" / "text.mp4").write_text("no video")
    return tmp_path


def captioned(folder: Path, *names: str) -> list[str]:
    table = pd.DataFrame({"clip": [f"{name}.mp4" for name in names]})
    table["caption"] = [f"red {name}" for name in names]
    write_table(table, folder / "captions.tsv")
    found = captioned_clips([RED], folder, 2, 0, SHAPE, 8)["mine"]
    assert all(clip.shape == SHAPE for _, clip in found)
    return [caption for caption, _ in found]


def test_files_that_cannot_be_read_are_passed_over(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert captioned(folder, "short", "one", "text", "two") == ["red one", "red two"]
    said = capsys.readouterr().err
    assert "2 clips are passed over" in said and "short.mp4: expected 1 s of video" in said


def test_where_none_can_be_read_the_first_reason_is_given(folder: Path) -> None:
    with pytest.raises(UserError, match=r"short\.mp4: expected 1 s of video"):
        captioned(folder, "short", "text")


def test_a_tensor_that_is_no_clip_is_no_file() -> None:
    with pytest.raises(UserError, match="expected at least 8 frames, got 2"):
        captioned_clips([RED], [("red", torch.zeros(2, 3, 32, 32))], 1, 0, SHAPE, 8)


def test_frames_of_a_known_rate_keep_their_speed() -> None:
    """Every second of 16 a second, every one of 8, each of 6 for a little longer."""
    video = torch.arange(20.0).view(-1, 1, 1, 1).expand(-1, 3, 32, 32) / 20

    def frames(rate: float | None) -> list[int]:
        return (20 * as_clip(video, SHAPE, 8, rate=rate)[:, 0, 0, 0]).round().int().tolist()

    assert frames(16) == [0, 2, 4, 6, 8, 10, 12, 14]
    assert frames(8) == [0, 1, 2, 3, 4, 5, 6, 7]
    assert frames(6) == [0, 0, 1, 2, 3, 3, 4, 5]
    assert frames(None) == [0, 3, 5, 8, 11, 14, 16, 19]
    with pytest.raises(UserError, match="expected 1 s, 22 frames at 24 a second, got 20"):
        frames(24)
