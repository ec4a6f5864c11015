"""A concept as a map of the caption, `q_o(pi)`: what one word for another changes in the state of
every token.

A vector adds the same to every caption, though the word stands at other places beside other
neighbours. A map is linear in each token's own state, in the state of the word that it replaces,
and in the distance between both, so it carries over to sentences of other lengths. It finds the
word by its state alone: it needs no tokenizer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch.nn.functional import one_hot, pad

from transporter.generators.condition import Condition

REACH = 12
"""Tokens up to which distances from the word are told apart."""
LOCATOR_RIDGE = 0.01
PAIRS_AT_ONCE = 64


@dataclass(frozen=True)
class ConceptMap:
    """`q_o(pi) = features(pi) @ down @ up`, of rank r."""

    locator: torch.Tensor
    """Scores tokens by their states; the highest is the word that is replaced: `(d + 1,)`, the last
    one a constant.
    """
    down: torch.Tensor
    """`(2 d + 2 REACH + 1, r)`"""
    up: torch.Tensor
    """`(r, d)`"""

    def __call__(self, pi: Condition) -> torch.Tensor:
        """The change at strength 1 of B conditions, `(B, L, d)`; zero at padding."""
        return self.at(pi, self.words(pi))

    def at(self, pi: Condition, words: torch.Tensor) -> torch.Tensor:
        """The same where it is known which token the word is, `(B,)`."""
        features = caption_features(pi, words)  # (B, L, 2 d + 2 REACH + 1)
        return features @ self.down @ self.up * tokens_of(pi)[..., None]

    def words(self, pi: Condition) -> torch.Tensor:
        """Which token of each of B conditions is the word, `(B,)`."""
        scores = pad(pi.embeddings, (0, 1), value=1.0) @ self.locator  # (B, L)
        return scores.masked_fill(~tokens_of(pi), -torch.inf).argmax(-1)

    @property
    def width(self) -> int:
        """d"""
        return self.up.shape[1]

    def to(self, target: torch.device | str | torch.dtype | torch.Tensor) -> ConceptMap:
        return ConceptMap(*(part.to(target) for part in (self.locator, self.down, self.up)))

    @classmethod
    def fit(cls, pi_minus: Condition, pi_plus: Condition, ridge: float, rank: int) -> ConceptMap:
        """The map nearest to `pi+ - pi-` over all tokens of n pairs, by ridge regression, its rank
        reduced along what it changes most.

        Args:
            pi_minus, pi_plus: conditions of captions that differ in the word, n rows each.
            ridge: penalty on the squares of the weights.
            rank: at most d.
        """
        locator, whole = RidgeSums(LOCATOR_RIDGE), RidgeSums(ridge)
        for minus, plus in _parts(pi_minus, pi_plus):
            tokens, word = tokens_of(minus), _replaced(minus, plus)
            is_word = one_hot(word, tokens.shape[1])[tokens]  # (tokens,)
            states = pad(minus.embeddings[tokens], (0, 1), value=1.0)
            locator.add(states, is_word[:, None])
            change = (plus - minus).embeddings[tokens]
            whole.add(caption_features(minus, word)[tokens], change)
        return cls.of(locator, whole, rank, pi_minus.embeddings.dtype)

    @classmethod
    def of(cls, locator: RidgeSums, whole: RidgeSums, rank: int, dtype: torch.dtype) -> ConceptMap:
        """The map of two regressions: which token is the word, and what changes."""
        parts = (locator.solution()[:, 0], *whole.reduced(rank))
        return cls(*(part.to(dtype).contiguous() for part in parts))


def tokens_of(pi: Condition) -> torch.Tensor:
    """Where a condition has tokens and no padding, `(B, L)` of bool: by its mask or, where the
    model sees all L, where its state is not zero.
    """
    return pi.embeddings.abs().amax(-1) > 0 if pi.mask is None else pi.mask.bool()


def caption_features(pi: Condition, words: torch.Tensor) -> torch.Tensor:
    """What a map is linear in, for the word at `words` `(B,)`: `(B, L, 2 d + 2 REACH + 1)`."""
    states = pi.embeddings
    count, length, _ = states.shape
    word = states[torch.arange(count, device=states.device), words]  # (B, d)
    place = torch.arange(length, device=states.device)
    distance = (place - words[:, None]).clamp(-REACH, REACH) + REACH  # (B, L)
    near = one_hot(distance, 2 * REACH + 1).to(states)
    return torch.cat([states, word[:, None].expand_as(states), near], -1)


def _replaced(minus: Condition, plus: Condition) -> torch.Tensor:
    """The token that differs most, `(B,)`: the word itself, whatever its neighbours take over."""
    return (plus - minus).embeddings.norm(dim=-1).argmax(-1)


def _parts(minus: Condition, plus: Condition) -> Iterator[tuple[Condition, Condition]]:
    """A few pairs at a time: the features of all may not fit in memory."""
    for start in range(0, len(minus), PAIRS_AT_ONCE):
        rows = slice(start, start + PAIRS_AT_ONCE)
        yield minus[rows], plus[rows]


class RidgeSums:
    """Ridge regression from sums over rows, in double precision."""

    def __init__(self, ridge: float) -> None:
        self.ridge = ridge
        self.inner: torch.Tensor | float = 0.0
        self.outer: torch.Tensor | float = 0.0

    def add(self, features: torch.Tensor, wanted: torch.Tensor) -> None:
        """Rows of features `(n, F)` and of what is wanted of them `(n, d)`."""
        features, wanted = features.double(), wanted.double()
        self.inner = self.inner + features.T @ features
        self.outer = self.outer + features.T @ wanted

    def solution(self) -> torch.Tensor:
        """The weights `(F, d)`."""
        penalty = self.ridge * torch.eye(len(self.inner)).to(self.inner)
        return torch.linalg.solve(self.inner + penalty, self.outer)

    def reduced(self, rank: int) -> tuple[torch.Tensor, torch.Tensor]:
        """The weights as a product `(F, r)` and `(r, d)`, along what they change most over the
        rows.
        """
        weights = self.solution()
        _, directions = torch.linalg.eigh(weights.T @ self.inner @ weights)
        kept = directions.flip(-1)[:, :rank]  # (d, r), the first columns the largest
        return weights @ kept, kept.T
