"""A word that comes into captions which have none of its kind, as a map of the caption.

The generator's transformer looks at the tokens of a caption as at a set: what it makes of them does
not hang on their places, as these are in their states already. So a map leaves all tokens where
they are, changes their states, and lays the tokens of the word into the padding behind them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.nn.functional import one_hot, pad

from transporter.clips.caption_words import is_of, reworded, words_in
from transporter.clips.world import World
from transporter.concepts.maps import (
    LOCATOR_RIDGE,
    ConceptMap,
    RidgeSums,
    caption_features,
    tokens_of,
)
from transporter.generators.base import Generator, encode_captions
from transporter.generators.condition import Condition


@dataclass(frozen=True)
class Insertions:
    """n captions without a word of an attribute, and the same with one put in; and some captions
    that hold a word of it, whichever. Conditions in the host's memory.
    """

    pi_minus: Condition
    pi_plus: Condition
    held: Condition

    def to(self, target: torch.device | str) -> Insertions:
        return Insertions(self.pi_minus.to(target), self.pi_plus.to(target), self.held.to(target))


def insertion_pairs(
    word: str,
    attribute: str | None,
    captions: Sequence[str],
    generator: Generator,
    world: World | None,
    limit: int,
) -> Insertions | None:
    """What captions of a world are without and with a word of an attribute, at most `limit`; None
    where each of them names the attribute, or where a generator without a mask has no padding that
    a word could come into: it sees states of its text encoder there, too.
    """
    if world is None or attribute is None:
        return None
    own = [text for text in dict.fromkeys(captions) if is_of(text, world)]
    held = [text for text in own if words_in(text, world)[attribute] is not None]
    if len(held) == len(own):
        return None
    bare = dict.fromkeys(reworded(text, attribute, None, world) for text in own)
    without = list(bare)[:limit]
    filled = [reworded(text, attribute, word, world) for text in without]
    sides = (without, filled, held[:limit] or filled)
    found = Insertions(*(encode_captions(generator, texts).to("cpu") for texts in sides))
    return found if _more_tokens(found.pi_minus, found.pi_plus) > 0 else None


@dataclass(frozen=True)
class InsertionMap:
    """`q(pi)` of k tokens that come in. What they do to the tokens that are there is a
    `ConceptMap`, to which the word is the token that they come in before, or the last one.
    """

    around: ConceptMap
    word: torch.Tensor
    """The states of the new tokens, linear in those of the two that they come in between:
    `(k, 2 d + 1, d)`, the last row a constant.
    """

    def __call__(self, pi: Condition) -> torch.Tensor:
        """The change at strength 1 of B conditions, `(B, L, d)`; of the padding the first k places,
        as far as there are some, become tokens.
        """
        places = self.around.words(pi)
        states = torch.einsum("bf,kfd->bkd", _between(pi, places), self.word)
        padding = ~tokens_of(pi)
        nth = (padding.cumsum(1) - 1).clamp(0, len(self.word))
        slots = one_hot(nth, len(self.word) + 1)[..., :-1] * padding[..., None]  # (B, L, k)
        return self.around.at(pi, places) + slots.to(states) @ states

    @property
    def width(self) -> int:
        """d"""
        return self.around.width

    def to(self, target: torch.device | str | torch.dtype | torch.Tensor) -> InsertionMap:
        return InsertionMap(self.around.to(target), self.word.to(target))

    @classmethod
    def fit(cls, pi_minus: Condition, pi_plus: Condition, ridge: float, rank: int) -> InsertionMap:
        """The map nearest to what n captions become by a word, by ridge regression, of the rank
        `rank` around it. Where tokenizers make another number of tokens of it than in most
        captions, these are left out.
        """
        count = _more_tokens(pi_minus, pi_plus)
        assert count > 0
        locator, around, word = RidgeSums(LOCATOR_RIDGE), RidgeSums(ridge), RidgeSums(ridge)
        for minus, plus in zip(_rows(pi_minus), _rows(pi_plus), strict=True):
            if len(plus) - len(minus) != count:
                continue
            gap = _gap(minus, plus)
            place = torch.tensor([min(gap, len(minus) - 1)], device=minus.device)
            pi = Condition(minus[None])
            locator.add(pad(minus, (0, 1), value=1.0), one_hot(place, len(minus)).T)
            kept = torch.cat([plus[:gap], plus[gap + count :]])  # (n, d)
            around.add(caption_features(pi, place)[0], kept - minus)
            word.add(_between(pi, place), plus[gap : gap + count].reshape(1, -1))
        states = word.solution().unflatten(1, (count, -1)).transpose(0, 1)
        dtype = pi_minus.embeddings.dtype
        return cls(ConceptMap.of(locator, around, rank, dtype), states.to(dtype).contiguous())


def _rows(pi: Condition) -> list[torch.Tensor]:
    """The tokens of each caption, `(n, d)`."""
    return [states[held] for states, held in zip(pi.embeddings, tokens_of(pi), strict=True)]


def _more_tokens(pi_minus: Condition, pi_plus: Condition) -> int:
    """How many tokens most captions have more on the right side."""
    more = tokens_of(pi_plus).sum(1) - tokens_of(pi_minus).sum(1)
    return int(more.cpu().mode().values)


def _between(pi: Condition, places: torch.Tensor) -> torch.Tensor:
    """The states before and at `places` `(B,)`, and a constant: `(B, 2 d + 1)`; zero before the
    first.
    """
    rows = torch.arange(len(pi), device=places.device)
    at, before = pi.embeddings[rows, places], pi.embeddings[rows, (places - 1).clamp(min=0)]
    return pad(torch.cat([before * (places > 0)[:, None], at], 1), (0, 1), value=1.0)


def _gap(minus: torch.Tensor, plus: torch.Tensor) -> int:
    """Before which of n tokens `(n, d)` the new ones of `(n + k, d)` came in, so that the others
    change least; n where they came last.
    """
    count = len(plus) - len(minus)
    stay = (plus[: len(minus)] - minus).norm(dim=1)
    moved = (plus[count:] - minus).norm(dim=1)
    before = pad(stay.cumsum(0), (1, 0))
    behind = pad(moved.flip(0).cumsum(0), (1, 0)).flip(0)
    return int((before + behind).argmin())
