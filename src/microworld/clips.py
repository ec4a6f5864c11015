"""Clips of the microworld, drawn afresh to train on or to measure with, and the one size that they
have.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from microworld.attributes import Attributes, draw_attributes
from microworld.cues import Seen
from microworld.renderer import FRAMES, SIZE, Layout, draw_layout, render
from transporter.support.errors import UserError

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
        pairs = [
            render(a, layout.at(frames))
            for a, layout in zip(self.attributes, self.layouts, strict=True)
        ]
        pixels, masks = (torch.from_numpy(np.stack(part)) for part in zip(*pairs, strict=True))
        return pixels.permute(0, 1, 4, 2, 3).float() / 255, masks

    def video(self, frames: np.ndarray | slice = ALL) -> torch.Tensor:
        """Video `(B, T, 3, H, W)` in [0, 1]."""
        return self.render(frames)[0]

    def seen(self) -> list[Seen]:
        """As cues see them."""
        pairs = zip(self.attributes, self.layouts, strict=True)
        return [Seen(attributes, layout) for attributes, layout in pairs]

    def targets(self, attribute: str) -> torch.Tensor:
        """How well each word of `attribute` fits each clip: `(B, words)`."""
        return torch.from_numpy(
            np.stack([a.probabilities(attribute) for a in self.attributes])
        ).float()


def random_state(generator: torch.Generator) -> np.random.Generator:
    """A NumPy generator whose seed comes from torch's."""
    return np.random.default_rng(int(torch.randint(2**62, (1,), generator=generator)))


def checked(video: torch.Tensor, reader: str) -> torch.Tensor:
    """The clips as they are, `(B, T, 3, H, W)`.

    Raises:
        UserError: they have another size than the microworld's; `reader` knows no other.
    """
    if video.ndim != 5 or tuple(video.shape[1:]) != VIDEO_SHAPE:
        raise UserError(
            f"{reader}: expected clips of shape (B, *{VIDEO_SHAPE}), got {tuple(video.shape)}; read"
            " them in that size"
        )
    return video
