"""Fresh microworld clips to train on or to measure with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from microworld.attributes import Attributes, draw_attributes
from microworld.renderer import FRAMES, SIZE, Layout, draw_layout, render

ALL = slice(None)
VIDEO_SHAPE = (FRAMES, 3, SIZE, SIZE)
"""(T, C, H, W) of every clip."""


@dataclass(frozen=True)
class Clips:
    """What clips show and where; pixels come when asked for."""

    attributes: list[Attributes]
    layouts: list[Layout]

    @classmethod
    def draw(cls, count: int, rng: np.random.Generator, held_out: bool = False) -> Clips:
        """`count` clips of training combinations, or of held-out ones."""
        attributes = [draw_attributes(rng, held_out=held_out) for _ in range(count)]
        return cls(attributes, [draw_layout(a, rng) for a in attributes])

    def __getitem__(self, some: slice) -> Clips:
        return Clips(self.attributes[some], self.layouts[some])

    def render(self, frames: np.ndarray | slice = ALL) -> tuple[torch.Tensor, torch.Tensor]:
        """Video `(B, T, 3, H, W)` in [0, 1] and sprite masks `(B, T, H, W)`, of all frames or of
        some.
        """
        drawn = [
            render(a, layout.at(frames))
            for a, layout in zip(self.attributes, self.layouts, strict=True)
        ]
        video = (
            torch.from_numpy(np.stack([clip for clip, _ in drawn])).permute(0, 1, 4, 2, 3).float()
            / 255
        )
        return video, torch.from_numpy(np.stack([mask for _, mask in drawn]))

    def video(self, frames: np.ndarray | slice = ALL) -> torch.Tensor:
        """Video `(B, T, 3, H, W)` in [0, 1]."""
        return self.render(frames)[0]

    def targets(self, attribute: str) -> torch.Tensor:
        """How well each word of `attribute` fits each clip: `(B, words)`."""
        return torch.from_numpy(
            np.stack([a.probabilities(attribute) for a in self.attributes])
        ).float()


def random_state(generator: torch.Generator) -> np.random.Generator:
    """A NumPy generator whose seed comes from torch's."""
    return np.random.default_rng(int(torch.randint(2**62, (1,), generator=generator)))
