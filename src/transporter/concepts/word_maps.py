"""A word as a map of any caption: in the place of another of its kind, or put in where there is
none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch.nn.functional import pad

from transporter.concepts.insertions import InsertionMap, Insertions
from transporter.concepts.maps import ConceptMap, RidgeSums, tokens_of
from transporter.generators.condition import Condition

PRESENCE_RIDGE = 0.01


@dataclass(frozen=True)
class WordMap:
    """`q_o(pi)`: what `swap` changes in a caption that has a word of the concept's attribute, and
    what `insertion` changes in others.
    """

    present: torch.Tensor
    """Above 0.5 where the caption has one, linear in `mean_states`: `(d + 1,)`."""
    swap: ConceptMap
    insertion: InsertionMap

    def __call__(self, pi: Condition) -> torch.Tensor:
        """The change at strength 1 of B conditions, `(B, L, d)`; zero at padding, but for the
        tokens that come in.
        """
        present = self.has_word(pi)[:, None, None]
        return torch.where(present, self.swap(pi), self.insertion(pi))

    def has_word(self, pi: Condition) -> torch.Tensor:
        """Which of B captions have a word of the attribute, `(B,)`."""
        return mean_states(pi) @ self.present > 0.5

    @property
    def width(self) -> int:
        """d"""
        return self.swap.width

    def to(self, target: torch.device | str | torch.dtype | torch.Tensor) -> WordMap:
        return WordMap(self.present.to(target), self.swap.to(target), self.insertion.to(target))


class Pairs(Protocol):
    """Conditions of n captions that differ in a concept's words, and of others that lack them."""

    @property
    def pi_minus(self) -> Condition: ...

    @property
    def pi_plus(self) -> Condition: ...

    @property
    def insertions(self) -> Insertions | None: ...


def fit_map(pairs: Pairs, ridge: float, rank: int, device: torch.device) -> ConceptMap | WordMap:
    """The map of a concept, by its pairs alone, which come to `device`."""
    swap = ConceptMap.fit(pairs.pi_minus.to(device), pairs.pi_plus.to(device), ridge, rank)
    if pairs.insertions is None:
        return swap
    found = pairs.insertions.to(device)
    sums = RidgeSums(PRESENCE_RIDGE)
    for pi, label in ((found.pi_minus, 0.0), (found.pi_plus, 1.0), (found.held, 1.0)):
        states = mean_states(pi)
        sums.add(states, torch.full_like(states[:, :1], label))
    present = sums.solution()[:, 0].to(found.pi_minus.embeddings.dtype)
    return WordMap(present, swap, InsertionMap.fit(found.pi_minus, found.pi_plus, ridge, rank))


def fit_maps(
    pairs: Mapping[str, Pairs], ridge: float, rank: int, device: torch.device
) -> dict[str, ConceptMap | WordMap]:
    """A map for each concept, one after the other."""
    return {name: fit_map(part, ridge, rank, device) for name, part in pairs.items()}


def mean_states(pi: Condition) -> torch.Tensor:
    """The mean state of the tokens, and a constant: `(B, d + 1)`."""
    tokens = tokens_of(pi)[..., None]
    mean = (pi.embeddings * tokens).sum(1) / tokens.sum(1).clamp(min=1)
    return pad(mean, (0, 1), value=1.0)


def as_change(pi: Condition, change: torch.Tensor) -> Condition:
    """What a map gives of B conditions as a change of them: what it lays into the padding is a
    token.
    """
    if pi.mask is None:
        return Condition(change)
    return Condition(change, (change != 0).any(-1).to(pi.mask))
