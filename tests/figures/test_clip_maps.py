"""The figure of one clip's maps, on maps that are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from transporter.figures.clip_maps import clip_maps_figure


def drawn(place: Path, maps: dict[str, torch.Tensor]) -> np.ndarray:
    video, masks = torch.full((5, 3, 8, 8), 0.5), torch.zeros(2, 5, 8, 8, dtype=torch.bool)
    masks[:, :, :4] = True
    clip_maps_figure(video, ["red", "left"], masks, maps, [place])
    return np.asarray(Image.open(place).convert("RGB"), dtype=int)


def test_every_word_and_reading_has_its_pictures(tmp_path: Path) -> None:
    one = torch.zeros(2, 2, 2, 2)
    one[0, 0, 0, 0] = one[1, 1, 1, 1] = 1
    picture = drawn(tmp_path / "a.png", {"default": one, "other": one})
    again = drawn(tmp_path / "b.png", {"default": 2 * one + 3, "other": one})
    assert (picture == again).all()  # each map has a scale of its own
    other = drawn(tmp_path / "c.png", {"default": one, "other": one.flip(1)})
    rows = (picture != other).any((1, 2)).nonzero()[0]
    # only the last of four rows differs
    assert len(rows) and rows.min() > picture.shape[0] * 0.7
