"""The trained probes: a classifier of all attributes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from microworld.attributes import WORDS
from microworld.renderer import SIZE

STRIDE = 2
"""The classifier sees every second frame: the quickest spin turns 36 degrees between them, so
nothing aliases.
"""


class _Block(nn.Module):
    """3-D convolution, group normalisation, GELU, and a residual where the shape stays."""

    def __init__(self, inputs: int, outputs: int, stride: tuple[int, int, int]) -> None:
        super().__init__()
        self.conv = nn.Conv3d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm = nn.GroupNorm(8, outputs)
        self.keeps = inputs == outputs and stride == (1, 1, 1)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        result = nn.functional.gelu(self.norm(self.conv(hidden)))
        return hidden + result if self.keeps else result


class Classifier(nn.Module):
    """A small 3-D network with one head per attribute; each sample is normalised alone, so a batch
    does not matter.
    """

    def __init__(
        self,
        widths: Sequence[int] = (48, 64, 72),
        mix: int = 12,
        hidden: int = 128,
        frames: int = 9,
        size: int = SIZE,
    ) -> None:
        super().__init__()
        first, second, third = widths
        self.settings = {
            "widths": list(widths),
            "mix": mix,
            "hidden": hidden,
            "frames": frames,
            "size": size,
        }
        self.register_buffer("position", _positions(size), persistent=False)
        self.conv_in = nn.Conv3d(5, first, (1, 6, 6), (1, 4, 4), (0, 1, 1))
        self.norm_in = nn.GroupNorm(8, first)
        self.blocks = nn.Sequential(
            _Block(first, second, (1, 2, 2)),
            _Block(second, third, (2, 2, 2)),
            _Block(third, third, (1, 1, 1)),
        )
        cells = -(-frames // 2) * (size // 16) ** 2
        self.squeeze = nn.Sequential(
            nn.Conv3d(third, mix, 1), nn.Flatten(), nn.Linear(mix * cells, hidden), nn.GELU()
        )
        self.head = nn.ModuleDict(
            {name: nn.Linear(hidden, len(words)) for name, words in WORDS.items()}
        )

    def features(self, frames: torch.Tensor) -> torch.Tensor:
        """Every `STRIDE`-th frame of a clip `(B, T', 3, H, W)` in [0, 1] to what all heads read,
        `(B, hidden)`.
        """
        hidden = frames.transpose(1, 2) * 2 - 1
        position = self.position.expand(len(hidden), -1, hidden.shape[2], -1, -1)
        hidden = nn.functional.gelu(self.norm_in(self.conv_in(torch.cat([hidden, position], 1))))
        return self.squeeze(self.blocks(hidden))

    def forward(self, frames: torch.Tensor) -> dict[str, torch.Tensor]:
        """Every `STRIDE`-th frame of a clip `(B, T', 3, H, W)` in [0, 1] to logits `(B, n)` per
        attribute.
        """
        features = self.features(frames)
        return {name: layer(features) for name, layer in self.head.items()}


def _positions(size: int) -> torch.Tensor:
    """Where each pixel is, from -1 to 1: column and row, `(1, 2, 1, size, size)`."""
    grid = torch.linspace(-1, 1, size)
    rows, columns = torch.meshgrid(grid, grid, indexing="ij")
    return torch.stack([columns, rows])[None, :, None]
