"""Clips that cannot be read are found by reading them, and only once for the same bytes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from transporter.clips.readable import Part, parts_of
from transporter.clips.reading import read_video
from transporter.clips.refusals import VideoError
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

    def read(file: Path, start: float) -> None:
        asked.append(file)
        read_video(file, 9, 32, 32)

    contents = {name: file_hash(file) for name, file in clips.items()}
    parts = parts_of(clips, contents, lambda file: [0], read, known)
    assert all(len(found) == 1 and found[0].start == 0 for found in parts.values())
    return {name: part.reason for name, [part] in parts.items() if part.reason}, asked


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
    def read(file: Path, start: float) -> None:
        read_video(file, 9, 32, 32)

    for _ in range(2):
        known = tmp_path / "known.tsv"
        parts = parts_of({"a": tmp_path / "a"}, {"a": ""}, lambda file: [0], read, known)
        assert parts == {"a": [Part(0, "expected a video, found no such file")]}


def test_parts_of_a_clip_are_told_one_by_one_and_kept(tmp_path: Path) -> None:
    """The second cannot be read; of another clip nobody finds a part."""
    clips = {name: tmp_path / name for name in "ab"}
    asked = []

    def starts(file: Path) -> list[float]:
        asked.append(file.name)
        if file.name == "b":
            raise VideoError(f"{file}: no video")
        return [0, 1.5, 3]

    def read(file: Path, start: float) -> None:
        if start == 1.5:
            raise VideoError(f"{file}: damaged there")

    for _ in range(2):
        parts = parts_of(clips, {"a": "1", "b": "2"}, starts, read, tmp_path / "known.tsv")
        assert parts == {
            "a": [Part(0, ""), Part(1.5, "damaged there"), Part(3, "")],
            "b": [Part(0, "no video")],
        }
    assert asked == ["a", "b"]
