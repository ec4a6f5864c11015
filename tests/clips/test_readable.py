"""Clips that cannot be read are found by reading them, and only once for the same bytes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from transporter.clips.readable import unreadable
from transporter.clips.reading import read_video
from transporter.clips.writing import write_video
from transporter.support.hashes import file_hash


@pytest.fixture
def clips(tmp_path: Path) -> dict[str, Path]:
    """One good clip, one cut short, one empty, and one of other bytes."""
    files = {name: tmp_path / "clips" / name for name in ("good", "day1/cut", "empty", "text")}
    write_video(files["good"], torch.rand(9, 3, 32, 32), 8)
    files["day1/cut"].parent.mkdir()
    whole = files["good"].read_bytes()
    files["day1/cut"].write_bytes(whole[: len(whole) // 2])
    files["empty"].touch()
    files["text"].write_text("no video")
    return files


def look(clips: dict[str, Path], known: Path) -> tuple[dict[str, str], list[Path]]:
    """Reasons, and the files that were read."""
    asked = []

    def read(file: Path) -> None:
        asked.append(file)
        read_video(file, 9, 32, 32)

    contents = {name: file_hash(file) for name, file in clips.items()}
    return unreadable(clips, contents, read, known), asked


def test_reasons_are_those_of_the_reader(clips: dict[str, Path], tmp_path: Path) -> None:
    reasons, asked = look(clips, tmp_path / "known.tsv")
    assert list(reasons) == ["day1/cut", "empty", "text"] and asked == list(clips.values())
    assert reasons["empty"] == "expected a video, the file is empty"
    assert not any(str(tmp_path) in reason for reason in reasons.values())


def test_the_same_bytes_are_read_once(clips: dict[str, Path], tmp_path: Path) -> None:
    before, _ = look(clips, tmp_path / "known.tsv")
    clips["good"].rename(tmp_path / "moved")
    clips["moved"] = tmp_path / "moved"
    clips["good"] = clips["empty"]
    write_video(clips["text"], torch.rand(9, 3, 32, 32), 8)
    reasons, asked = look(clips, tmp_path / "known.tsv")
    assert asked == [clips["text"]]
    assert reasons == {
        "good": before["empty"],
        "day1/cut": before["day1/cut"],
        "empty": before["empty"],
    }


def test_a_clip_whose_bytes_cannot_be_had_is_tried_each_time(tmp_path: Path) -> None:
    def read(file: Path) -> None:
        read_video(file, 9, 32, 32)

    for _ in range(2):
        reasons = unreadable({"a": tmp_path / "a"}, {"a": ""}, read, tmp_path / "known.tsv")
        assert reasons == {"a": "expected a video, found no such file"}
