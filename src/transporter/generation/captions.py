"""Captions to show concepts in: at random, of all lengths alike, and none that a concept was fitted
on.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import chain

import numpy as np

from transporter.clips.contrast import Concept
from transporter.support.errors import UserError

STRATA = 3
"""Groups of captions by their number of words, about as many in each, that are drawn from in
turn.
"""
Pair = tuple[str, str]
"""Captions `pi-` and `pi+`."""


def fresh_pairs(
    concept: Concept, captions: Sequence[Sequence[str]], seen: Sequence[str], seed: int
) -> list[Pair]:
    """The different caption pairs that no vector was fitted on, list by list, each list as
    `in_turn` orders it.

    Raises:
        UserError: no caption outside `seen` holds either word.
    """
    fitted = set(concept.contexts(seen))
    parts = [_without(fitted, concept.contexts(part)) for part in captions]
    if not any(parts):
        raise UserError(
            f"concept {concept.name}: expected captions with {concept.source!r} or"
            f" {concept.target!r} that were not fitted on, found none in {sum(map(len, captions))};"
            " add held-out clips"
        )
    ordered = chain.from_iterable(in_turn(part, concept.name, seed) for part in parts)
    return list(dict.fromkeys(ordered))


def _without(fitted: set[Pair], pairs: Sequence[Pair]) -> list[Pair]:
    return [pair for pair in dict.fromkeys(pairs) if pair not in fitted]


def in_turn(pairs: Sequence[Pair], name: str, seed: int) -> list[Pair]:
    """Pairs in a random order, such that short, middle and long ones take turns from the first on:
    of any number of them about a third is of each.

    Args:
        name: of the concept: each has an order of its own.
    """
    draw = random.Random(f"{seed} {name}")
    shuffled = draw.sample(list(pairs), len(pairs))
    strata = strata_of([minus for minus, _ in shuffled])
    groups = [_of_stratum(shuffled, strata, stratum) for stratum in dict.fromkeys(strata)]
    places = {pair: (place, draw.random()) for group in groups for place, pair in enumerate(group)}
    return sorted(shuffled, key=places.__getitem__)


def _of_stratum(pairs: Sequence[Pair], strata: Sequence[int], stratum: int) -> list[Pair]:
    return [pair for pair, own in zip(pairs, strata, strict=True) if own == stratum]


def strata_of(captions: Sequence[str]) -> list[int]:
    """The third that each caption is in by its number of words, from 0, the shortest; captions of
    one length are in one.
    """
    words = [len(caption.split()) for caption in captions]
    if not words:
        return []
    bounds = np.quantile(words, [third / STRATA for third in range(1, STRATA)], method="lower")
    return np.searchsorted(bounds, words, side="left").tolist()


def pick_contexts(
    concept: Concept, captions: Sequence[str], seen: Sequence[str], count: int, seed: int
) -> list[Pair]:
    """`count` caption pairs that no vector was fitted on, the first of `fresh_pairs`; cycled when
    there are fewer.

    Raises:
        UserError: no caption outside `seen` holds either word.
    """
    fresh = fresh_pairs(concept, [captions], seen, seed)
    return [fresh[index % len(fresh)] for index in range(count)]


def pick_captions(
    concepts: Sequence[Concept],
    captions: Sequence[str],
    seen: Sequence[str],
    count: int,
    seed: int,
) -> list[str]:
    """`count` captions with every concept's source word that no vector was fitted on, as
    `pick_contexts` does for one concept.

    Raises:
        UserError: no such caption.
    """
    fitted = {concept.name: set(concept.contexts(seen)) for concept in concepts}
    origins = dict.fromkeys(
        origin for caption in captions if (origin := _origin(concepts, caption))
    )

    def is_fresh(origin: str) -> bool:
        return not any(concept.pair(origin) in fitted[concept.name] for concept in concepts)

    fresh = list(filter(is_fresh, origins))
    names = ", ".join(concept.name for concept in concepts)
    if not fresh:
        raise UserError(
            f"concepts {names}: expected held-out captions that hold a word of each, found none in"
            f" {len(captions)}"
        )
    ordered = in_turn([(origin, origin) for origin in fresh], names, seed)
    return [ordered[index % len(ordered)][0] for index in range(count)]


def _origin(concepts: Sequence[Concept], caption: str) -> str | None:
    """The caption with every concept at its source word."""
    for concept in concepts:
        pair = concept.pair(caption)
        if pair is None:
            return None
        caption = pair[0]
    return caption
