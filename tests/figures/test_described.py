"""The figure of described changes, on small ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from transporter.figures.described import described_figure
from transporter.metrics.description import Description


def _change(row: int) -> Description:
    """One row of pixels changes, in the last frame."""
    places = torch.zeros(8, 8)
    places[row] = 0.5
    return Description(places, torch.tensor([0.0, 0.0, 0.1]), (0.5, 0.6), (0.01, 0.01))


def test_another_place_is_another_picture(tmp_path: Path) -> None:
    for name, row in (("a", 1), ("b", 1), ("c", 6)):
        changes = {"logits": _change(row), "best_swap": _change(1)}
        described_figure(changes, tmp_path / f"{name}.png")
    first, again, other = ((tmp_path / f"{name}.png").read_bytes() for name in "abc")
    assert first == again != other


def test_methods_stand_side_by_side_and_none_is_an_empty_picture(tmp_path: Path) -> None:
    described_figure({"logits": _change(1)}, tmp_path / "one.png")
    described_figure(dict.fromkeys("ab", _change(1)), tmp_path / "two.png")
    described_figure({}, tmp_path / "none.png")
    one, two, none = (
        np.asarray(Image.open(tmp_path / f"{name}.png").convert("L"))
        for name in ("one", "two", "none")
    )
    assert two.shape[1] == 2 * one.shape[1]
    assert none.min() == none.max() == 255
