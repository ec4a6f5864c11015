"""Clips whose attributes are known, and how well they are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pytest
import torch

from microworld.attributes import Attributes, draw_attributes
from microworld.renderer import draw_layout, render

Drawn = tuple[list[Attributes], torch.Tensor]
CLIPS = 64


def _video(*clips: Attributes) -> torch.Tensor:
    rng = np.random.default_rng(0)
    frames = np.stack([render(a, draw_layout(a, rng))[0] for a in clips])
    return torch.from_numpy(frames).permute(0, 1, 4, 2, 3).float() / 255


@pytest.fixture(scope="session")
def video_of() -> Callable[..., torch.Tensor]:
    """Renders clips: attributes to `(n, T, 3, H, W)`."""
    return _video


@pytest.fixture(scope="session", params=[False, True], ids=["seen", "held_out"])
def clips(request: pytest.FixtureRequest) -> Drawn:
    """Attributes and video of clips of seen and of held-out combinations."""
    rng = np.random.default_rng(7 + request.param)
    drawn = [draw_attributes(rng, held_out=request.param) for _ in range(CLIPS)]
    return drawn, _video(*drawn)


@pytest.fixture(scope="session")
def accuracy() -> Callable[[Sequence[Attributes], Mapping[str, torch.Tensor], str], float]:
    """Share of clips, among those that a word of the attribute names, whose best fitting word is
    that one.
    """

    def share(
        attributes: Sequence[Attributes], read: Mapping[str, torch.Tensor], name: str
    ) -> float:
        target = torch.from_numpy(np.stack([a.probabilities(name) for a in attributes]))
        named = target.amax(1) > 1 - 1e-5
        right = read[name].argmax(1) == target.argmax(1)
        return float(right[named].float().mean())

    return share
