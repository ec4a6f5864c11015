"""What clips hold is known by their bytes, and they are read again only when they have changed."""

from __future__ import annotations

import os
import shutil
from hashlib import sha256
from pathlib import Path

import pytest

from transporter.pipeline import clip_contents as module
from transporter.pipeline.clip_contents import clip_contents

NAMES = ["a.mp4", "day1/b.mp4"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in NAMES:
        (tmp_path / "clips" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "clips" / name).write_text(name)
    return tmp_path / "clips"


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files whose bytes are read."""
    files: list[str] = []
    hashed = module.file_hash

    def count(path: Path) -> str:
        files.append(path.name)
        return hashed(path)

    monkeypatch.setattr(module, "file_hash", count)
    return files


def test_hashes_are_of_the_bytes(folder: Path) -> None:
    expected = {name: sha256(name.encode()).hexdigest() for name in NAMES}
    assert clip_contents(folder, NAMES) == expected


def test_files_that_stay_are_read_once(folder: Path, read: list[str]) -> None:
    first = clip_contents(folder, NAMES)
    assert clip_contents(folder, NAMES) == first
    assert sorted(read) == ["a.mp4", "b.mp4"]


def test_a_file_of_equal_size_and_an_old_time_is_noticed(folder: Path, tmp_path: Path) -> None:
    """As `mv` and `cp --preserve` bring it."""
    first = clip_contents(folder, NAMES)
    about = (folder / "a.mp4").stat()
    (tmp_path / "other").write_text("b.mp4")
    os.utime(tmp_path / "other", ns=(about.st_atime_ns, about.st_mtime_ns))
    shutil.move(tmp_path / "other", folder / "a.mp4")
    assert clip_contents(folder, NAMES)["a.mp4"] != first["a.mp4"]


def test_a_file_that_comes_back_is_what_it_was(
    folder: Path, read: list[str], tmp_path: Path
) -> None:
    first = clip_contents(folder, NAMES)
    shutil.move(folder / "a.mp4", tmp_path / "away")
    shutil.move(tmp_path / "away", folder / "a.mp4")
    read.clear()
    assert clip_contents(folder, NAMES) == first
    assert read == ["a.mp4"]


def test_a_missing_file_and_damaged_notes_are_no_error(folder: Path) -> None:
    first = clip_contents(folder, NAMES)
    [kept] = module.KEPT.iterdir()
    for damage in ("", "[]", '{"a.mp4": 1}'):
        kept.write_text(damage)
        assert clip_contents(folder, [*NAMES, "none.mp4"]) == {**first, "none.mp4": ""}


def test_a_folder_that_may_not_be_written_to_is_no_error(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "KEPT", folder / "a.mp4" / "kept")
    assert len(clip_contents(folder, NAMES)) == 2
