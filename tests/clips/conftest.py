"""Clips that the tests of writing and of reading share."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from microworld.attributes import draw_attributes
from microworld.renderer import draw_layout, render


def _microworld_clip(seed: int) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    attributes = draw_attributes(rng)
    frames, _ = render(attributes, draw_layout(attributes, rng))
    return torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 255


def _smooth_clip(frames: int = 17, height: int = 64, width: int = 64) -> torch.Tensor:
    t, y, x = torch.meshgrid(
        *(torch.linspace(0, 1, size) for size in (frames, height, width)), indexing="ij"
    )
    return torch.stack([(x + t) / 2, (y + t) / 2, (x + y) / 2], 1)


@pytest.fixture(scope="session")
def microworld_clip() -> Callable[[int], torch.Tensor]:
    """Renders the clip of a seed, `(T, 3, H, W)`."""
    return _microworld_clip


@pytest.fixture(scope="session")
def smooth_clip() -> Callable[..., torch.Tensor]:
    """Makes a gradient that drifts, `(T, 3, H, W)`, without the sharp colour edges that 4:2:0
    blurs.
    """
    return _smooth_clip


@pytest.fixture(scope="session")
def real_clips() -> list[Path]:
    """Clips that people filmed."""
    if "TRANSPORTER_REFERENCE" not in os.environ:
        pytest.skip("TRANSPORTER_REFERENCE names no folder of real clips (clips/*.mp4)")
    clips = sorted(Path(os.environ["TRANSPORTER_REFERENCE"], "clips").glob("*.mp4"))
    assert clips, "TRANSPORTER_REFERENCE holds no clips/*.mp4"
    return clips
