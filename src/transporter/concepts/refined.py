"""A map that a gradient has gone on from."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from transporter.concepts.choices import EditChoice
from transporter.concepts.maps import ConceptMap, tokens_of
from transporter.concepts.word_maps import WordMap
from transporter.generators.condition import Condition


@dataclass(frozen=True)
class RefinedMap:
    """`q_o(pi) = start(pi) + offset`: what each caption gets by a map in closed form, and what the
    gradient of the VLM's answer adds for all.
    """

    start: ConceptMap | WordMap | EditChoice
    offset: torch.Tensor
    """`(L, d)` or `(1, d)`"""

    def __call__(self, pi: Condition) -> torch.Tensor:
        """The change at strength 1 of B conditions, `(B, L, d)`; zero at padding, but for the
        tokens that come in.
        """
        return self.start(pi) + at_tokens(self.offset, pi)

    @property
    def width(self) -> int:
        """d"""
        return self.start.width

    def to(self, target: torch.device | str | torch.dtype | torch.Tensor) -> RefinedMap:
        return RefinedMap(self.start.to(target), self.offset.to(target))


def at_tokens(vectors: torch.Tensor, pi: Condition) -> torch.Tensor:
    """`(B, L, d)`, zero at padding: vectors `(L, d)`, or `(B, L, d)` one for each condition."""
    return vectors * tokens_of(pi)[..., None]
