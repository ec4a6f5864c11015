"""Filmstrips and contact sheets: their size, their bytes, and the pixels in them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.image import imread

from transporter.figures.filmstrip import FAILED, contact_sheet, filmstrip, still_indices
from transporter.support.errors import UserError

PHIS = (0.0, 0.4, 1.0)


def clip(seed: int, frames: int = 17) -> torch.Tensor:
    coarse = torch.rand(frames, 3, 8, 8, generator=torch.Generator().manual_seed(seed))
    return coarse.repeat_interleave(8, -2).repeat_interleave(8, -1)


def holds(image: np.ndarray, frame: torch.Tensor, scale: int) -> bool:
    """Whether the frame stands somewhere in the image, every pixel exactly `scale` times as
    large.
    """
    wanted = np.rint(frame.permute(1, 2, 0).numpy() * 255).repeat(scale, 0).repeat(scale, 1)
    height, width = wanted.shape[:2]
    pixels = np.rint(image[..., :3] * 255)
    for y, x in np.argwhere((np.abs(pixels - wanted[0, 0]) <= 1).all(-1)):
        found = pixels[y : y + height, x : x + width]
        if found.shape == wanted.shape and np.abs(found - wanted).max() <= 1:
            return True
    return False


def test_filmstrip_is_byte_stable_and_shows_the_frames(tmp_path: Path) -> None:
    videos = {phi: clip(index) for index, phi in enumerate(PHIS)}
    for name in ("a.png", "b.png"):
        filmstrip(videos, tmp_path / name, "red → blue, $5 & <b>", words=("red", "blue"), fps=8)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert b"matplotlib" not in (tmp_path / "a.png").read_bytes().lower()
    image = imread(tmp_path / "a.png")
    height, width = image.shape[:2]
    assert 3 * 256 < width < 3 * 256 + 300 and 5 * 256 < height < 5 * 256 + 300
    assert holds(image, videos[0.0][0], 4) and holds(image, videos[1.0][-1], 4)


def test_filmstrip_of_wide_short_videos(tmp_path: Path) -> None:
    filmstrip(
        {0: torch.rand(2, 3, 48, 96), 1: torch.rand(2, 3, 48, 96)},
        tmp_path / "wide.png",
        "two frames",
    )
    height, width = imread(tmp_path / "wide.png").shape[:2]
    assert width > 2 * 512 and 2 * 256 < height < 2 * 256 + 250


def test_contact_sheet_is_byte_stable_and_marks_failures(tmp_path: Path) -> None:
    videos = [clip(seed) for seed in range(5)]
    titles = [f"clip {index}" for index in range(5)]
    for name in ("a.png", "b.png"):
        contact_sheet(videos, titles, tmp_path / name, failures=[False, True, False, False, False])
    contact_sheet(videos, titles, tmp_path / "fine.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    mark = np.array([int(FAILED[i : i + 2], 16) for i in (1, 3, 5)])

    def marked(name: str) -> int:
        return int(
            (np.abs(np.rint(imread(tmp_path / name)[..., :3] * 255) - mark) <= 1).all(-1).sum()
        )

    assert marked("a.png") > 1000 > 50 > marked("fine.png")
    assert holds(imread(tmp_path / "a.png"), videos[4][0], 2)


def test_stills_run_from_first_to_last() -> None:
    assert still_indices(17, 5) == [0, 4, 8, 12, 16]
    assert still_indices(3, 5) == [0, 1, 2]
    assert still_indices(1, 5) == [0]


def test_errors(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="one shape"):
        filmstrip({0: clip(0), 1: clip(1)[:, :, :32]}, tmp_path / "x.png", "")
    with pytest.raises(UserError, match="at least one video"):
        filmstrip({}, tmp_path / "x.png", "")
    with pytest.raises(UserError, match="2 videos, 1 titles"):
        contact_sheet([clip(0), clip(1)], ["one"], tmp_path / "x.png")
    assert list(tmp_path.iterdir()) == []
