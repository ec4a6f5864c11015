"""Clips and models that the metrics' tests share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from microworld.clip_judge import ClipJudge

MODELS = Path(__file__).parents[2] / "models"


@pytest.fixture(scope="session")
def judge() -> ClipJudge:
    """The shipped judge."""
    return ClipJudge.from_pretrained(MODELS / "clip_judge").eval()


@pytest.fixture(scope="session")
def clips() -> Callable[..., torch.Tensor]:
    """Random clips `(B, T, 3, H, W)` in [0, 1]."""

    def draw(count: int, frames: int = 17, size: int = 64, seed: int = 0) -> torch.Tensor:
        return torch.rand(
            count, frames, 3, size, size, generator=torch.Generator().manual_seed(seed)
        )

    return draw
