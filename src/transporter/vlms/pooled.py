"""A VLM whose visual tokens are pooled, so that Phi, whose memory grows with their square, has room
for them.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from math import prod
from typing import Any

import torch
from torch.nn import functional as F

from transporter.support.errors import UserError
from transporter.vlms.base import VLM

Grid = tuple[int, int, int]
"""Steps in time, rows and columns."""


def pooled_grid(grid: Grid, most: int) -> Grid:
    """The grid with at most so many places that is left when the longest side gives one up until
    it fits; of equal sides the first.
    """
    sides = list(grid)
    while prod(sides) > most:
        longest = sides.index(max(sides))
        sides[longest] -= 1
    return tuple(sides)


class PooledVLM(VLM):
    """A VLM seen through pooled tokens `(B, N', D)`: means of neighbours in time, rows and columns,
    each of which the language model is shown in all of their places. Everything else is the VLM's
    own, and what is explained is the VLM that sees clips in this way.

    Args:
        vlm: one that knows the grid of its tokens (`token_grid`), which go step by step, row by
            row.
        most: tokens of a clip, at most.

    Raises:
        UserError: a VLM whose tokens are no grid.
    """

    def __init__(self, vlm: Any, most: int) -> None:
        self.vlm, self.device = vlm, vlm.device
        count, width = vlm.tokens_shape
        grid = getattr(vlm, "token_grid", None)
        if grid is None or prod(grid) != count:
            raise UserError(
                f"key pooled_tokens: expected a VLM whose {count} tokens are a grid in time and"
                f" space, got a {type(vlm).__name__}, which tells of none; show it fewer frames"
            )
        self.grid: Grid = grid
        self.pooled_grid = pooled_grid(grid, most)
        self.tokens_shape = (prod(self.pooled_grid), width)
        # what is stored in the precision of the weights stays what it is
        self._dtype = vlm.model.dtype

    def __getattr__(self, name: str) -> Any:
        if name == "vlm":  # of an object that is not made yet
            raise AttributeError(name)
        return getattr(self.vlm, name)

    @property
    def time_steps(self) -> int:
        """Steps in time that the pooled tokens tell."""
        return self.pooled_grid[0]

    def recomputing(self) -> AbstractContextManager[None]:
        return self.vlm.recomputing()

    def encode(self, video: torch.Tensor) -> torch.Tensor:
        tokens = self._resized(self.vlm.encode(video), self.grid)
        return tokens.to(self._dtype).float()

    def _resized(self, tokens: torch.Tensor, grid: Grid) -> torch.Tensor:
        """Tokens `(B, N, D)` of one of both grids on the other."""
        places = tokens.transpose(1, 2).unflatten(2, grid)  # (B, D, t, h, w)
        if grid == self.grid:
            places = F.adaptive_avg_pool3d(places, self.pooled_grid)
        else:
            places = F.interpolate(places, self.grid, mode="nearest-exact")
        return places.flatten(2).transpose(1, 2)

    def _shown(self, tokens: torch.Tensor) -> torch.Tensor:
        """Pooled tokens in all of their places, `(B, N, D)`."""
        return self._resized(tokens, self.pooled_grid)

    def logits(self, tokens: torch.Tensor, prompt: str) -> torch.Tensor:
        return self.vlm.logits(self._shown(tokens), prompt)

    def log_probs(
        self, tokens: torch.Tensor, prompt: str, continuations: Sequence[str]
    ) -> torch.Tensor:
        return self.vlm.log_probs(self._shown(tokens), prompt, continuations)

    def caption(
        self, tokens: torch.Tensor, prompt: str | None = None, max_tokens: int | None = None
    ) -> list[str]:
        return self.vlm.caption(self._shown(tokens), prompt, max_tokens)
