"""What a concept vector is fitted on: pairs of captions that differ in the concept's words, and
clips.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import torch

from transporter.clips.caption_words import attribute_of
from transporter.clips.contrast import Concept
from transporter.clips.stored import Rows
from transporter.clips.world import World
from transporter.concepts.insertions import Insertions, insertion_pairs
from transporter.generators.base import Generator, encode_captions
from transporter.generators.condition import Condition
from transporter.support.errors import UserError

LIMIT = 512
"""Captions that one concept is fitted on, at most."""


@dataclass(frozen=True)
class Contexts:
    """What one concept is fitted on: n pairs of conditions, and latents of the clips that gave them
    `(n, c, t, h, w)`; and captions that lack the concept's words, where a world has such. They wait
    in the host's memory.
    """

    pi_minus: Condition
    pi_plus: Condition
    z_xi: torch.Tensor
    insertions: Insertions | None = field(default=None, kw_only=True)

    def __len__(self) -> int:
        return len(self.pi_minus)


@dataclass(frozen=True)
class WordPairs:
    """n captions with one of a concept's words, once with the source and once with the target, as
    conditions in the host's memory; `rows` says which of the captions they are. And some that lack
    both, where a world has such.
    """

    rows: Sequence[int]
    pi_minus: Condition
    pi_plus: Condition
    insertions: Insertions | None = None


def word_pairs(
    concept: Concept,
    captions: Sequence[str],
    generator: Generator,
    limit: int = LIMIT,
    world: World | None = None,
) -> WordPairs:
    """The first captions that hold one of the words, at most `limit`; of a world, as many that the
    target is put into.

    Raises:
        UserError: no caption holds either word.
    """
    found = [(row, pair) for row, caption in enumerate(captions) if (pair := concept.pair(caption))]
    if not found:
        raise UserError(
            f"concept {concept.name}: expected captions with {concept.source!r} or"
            f" {concept.target!r}, found none in {len(captions)}; add clips or drop the concept"
        )
    rows, pairs = zip(*found[:limit], strict=True)
    minus, plus = map(partial(encode_captions, generator), zip(*pairs, strict=True))
    about = attribute_of((concept.source, concept.target), world.words) if world else None
    put_in = insertion_pairs(concept.target, about, captions, generator, world, limit)
    return WordPairs(rows, minus.to("cpu"), plus.to("cpu"), put_in)


def gather_contexts(
    concept: Concept,
    captions: Sequence[str],
    z_xi: Rows,
    generator: Generator,
    limit: int = LIMIT,
    world: World | None = None,
) -> Contexts:
    """Every clip whose caption holds one of the words gives a context (at most `limit`); see
    `word_pairs`.

    Raises:
        UserError: no caption holds either word.
    """
    found = word_pairs(concept, captions, generator, limit, world)
    z_0 = z_xi[list(found.rows)].cpu()
    return Contexts(found.pi_minus, found.pi_plus, z_0, insertions=found.insertions)


def draw(
    contexts: Contexts, count: int, random: torch.Generator, device: torch.device
) -> tuple[Condition, Condition, torch.Tensor]:
    """pi-, pi+ and z_0 of `count` contexts, on `device`."""
    rows = torch.randint(len(contexts), (count,), generator=random)
    drawn = (contexts.pi_minus[rows], contexts.pi_plus[rows], contexts.z_xi[rows])
    return tuple(part.to(device) for part in drawn)
