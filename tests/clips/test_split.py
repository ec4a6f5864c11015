"""Whoever reads a split's clips reads the same frames: those of the window, at the model's rate."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import torch

from transporter.clips.reading import read_video
from transporter.clips.split import SplitClips, reader_of
from transporter.clips.writing import write_video

ROOT = Path(__file__).resolve().parents[2]
SIZE, FPS, RATE = (5, 32, 32), 4, 8
PART = {"start": 0, "seconds": None, "fit": "crop"}
LEVELS = torch.linspace(0.1, 0.9, 40)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A clip of five seconds, each frame brighter than the one before, and wider than high."""
    video = LEVELS.view(-1, 1, 1, 1).expand(-1, 3, 32, 64).clone()
    video[..., :16] = 0  # what a crop cuts off
    write_video(tmp_path / "clips" / "long.mp4", video, RATE)
    return tmp_path


def split(folder: Path, table: str, **part: object) -> SplitClips:
    (folder / "split.tsv").write_text(table)
    return SplitClips.of_table(folder / "split.tsv", folder / "clips", PART | part)


def brightness(video: torch.Tensor) -> torch.Tensor:
    return video.mean((1, 2, 3))


def test_a_long_clip_is_read_at_its_window_and_not_spread(folder: Path) -> None:
    clips = split(folder, "clip\tcaption\nlong.mp4\ta cat\n")
    video = clips.read(0, SIZE, FPS).video
    assert torch.allclose(brightness(video), LEVELS[0:10:2], atol=0.02)
    spread = read_video(folder / "clips" / "long.mp4", *SIZE)
    assert (brightness(spread) - brightness(video)).abs().max() > 0.3
    assert clips.captions == ["a cat"] and len(clips) == 1


def test_the_table_says_which_part_of_which_file_a_clip_is(folder: Path) -> None:
    rows = [f"long.mp4@{at}s\ta cat\tlong.mp4\t{at}\t00\n" for at in ("0.0", "3.5")]
    clips = split(folder, "clip\tcaption\tfile\tstart\tsha256\n" + "".join(rows), start=9)
    for row, first in ((0, 0), (1, 28)):
        video = clips.read(row, SIZE, FPS).video
        assert torch.allclose(brightness(video), LEVELS[first : first + 10 : 2], atol=0.02)
    assert clips.names == ["long.mp4@0.0s", "long.mp4@3.5s"]


def test_start_seconds_and_fit_are_those_of_the_settings(folder: Path) -> None:
    clips = split(folder, "clip\tcaption\nlong.mp4\ta cat\n", start=1, seconds=2.5, fit="stretch")
    video = clips.read(0, SIZE, FPS).video
    inside = video[..., 16:].mean((1, 2, 3))
    assert torch.allclose(inside, LEVELS[8:28:4], atol=0.02)
    assert video[..., :4].max() < 0.2


def test_scores_read_real_clips_at_their_window_and_made_ones_whole(folder: Path) -> None:
    clips = split(folder, "clip\tcaption\nlong.mp4\ta cat\n")
    made = folder / "made.mp4"
    made.write_bytes((folder / "clips" / "long.mp4").read_bytes())
    read = reader_of([clips], SIZE, FPS)
    assert torch.equal(read(clips.labels[0]), clips.read(0, SIZE, FPS).video)
    assert torch.equal(read(str(made)), read_video(made, *SIZE))
    assert not torch.equal(read(str(made)), read(clips.labels[0]))


def imports(script: Path) -> set[str]:
    return {
        node.module
        for node in ast.walk(ast.parse(script.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module
    }


def test_every_job_that_is_told_of_clips_reads_them_so() -> None:
    """Those are handed the part of the settings, and none of them reads a file by itself."""
    rules = [path.read_text() for path in (ROOT / "workflow" / "rules").glob("*.smk")]
    blocks = [block for text in rules for block in text.split("\nrule ")[1:]]
    told = {
        block.split("scripts/")[1].split('"')[0]
        for block in blocks
        if ("plan.clips.folder_from(" in block or "plan.clips.folder(" in block)
        and "scripts/" in block
    }
    assert len(told) >= 5
    for name in told:
        found = imports(ROOT / "workflow" / "scripts" / name)
        assert "transporter.clips.split" in found, name
        assert "transporter.clips.reading" not in found, name
