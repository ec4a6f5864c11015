"""Maps summed while a network runs, so that memory grows with words and tokens alone."""

from __future__ import annotations

import torch

from transporter.saliency.gram import Heads, Texts, scores
from transporter.saliency.separation import head_weights
from transporter.saliency.settings import MapSettings


class Tally:
    """The mean of maps over heads, layers and passes.

    Args:
        settings: what makes a map.
        layers: how many the network has; those that do not count are refused by `counts`.
        passes: how many conditional passes will be, which the steps that count are a share of.
    """

    def __init__(self, settings: MapSettings, layers: int, passes: int) -> None:
        self.settings, self.passes = settings, passes
        self.passed = 0
        """Conditional passes that have begun."""
        wanted = range(layers) if settings.layers == "all" else settings.layers
        self._layers = {layer % layers for layer in wanted if -layers <= layer < layers}
        self._total: torch.Tensor | None = None
        self._added = 0
        self._draws = torch.Generator().manual_seed(0)

    def counts(self, layer: int) -> bool:
        """Whether a layer counts in the present pass."""
        first, last = self.settings.steps
        now = (self.passed - 1) / self.passes
        return layer in self._layers and (first <= now < last or last == 1 <= now)

    def add(self, heads: Heads, texts: Texts) -> None:
        """One layer of one pass."""
        per_head = scores(heads, texts, self.settings)  # (B, H, n, F, P)
        by, top_k = self.settings.heads, self.settings.top_k
        weights = head_weights(heads.h, heads.frames, by, top_k, self._draws)
        found = torch.einsum("bh,bhnfp->bnfp", weights.to(per_head), per_head)
        self._total = found if self._total is None else grown(self._total, len(found)) + found
        self._added += 1

    def mean(self) -> torch.Tensor | None:
        """`(B, n, F, P)`, or None before anything counted."""
        return None if self._total is None else self._total / self._added


def grown(rows: torch.Tensor, count: int) -> torch.Tensor:
    """One row for each of a batch that has grown, its copies side by side."""
    return rows if len(rows) == count else rows.repeat_interleave(count // len(rows), 0)
