"""Concepts that act only where their words are: the places come from the clip without them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import torch

from transporter.clips.contrast import Concept
from transporter.concepts.bank import ConceptBank
from transporter.explainer.location import places_of
from transporter.explainer.names import known_concept
from transporter.generation.sweeps import generate
from transporter.generators.base import Generator, Sampling
from transporter.generators.modulation import WHOLE
from transporter.support.errors import UserError


@torch.no_grad()
def generate_by_place(
    generator: Generator,
    bank: ConceptBank,
    words: Sequence[str],
    caption: str,
    strengths: Mapping[str, float],
    seed: int,
    sampling: Sampling,
    steps: tuple[float, float] = WHOLE,
    frames: tuple[float, float] = WHOLE,
) -> torch.Tensor:
    """As `generation.sweeps.generate`, with the change in the places of some words alone, where the
    generator sees them in the clip without it.

    Args:
        words: at least one, those of `acting_words` say.

    Raises:
        UserError: a generator whose attention is not known.
    """
    plain = generate(generator, bank, caption, {}, seed, sampling)
    found = [places_of(generator, plain, word, caption, seed) for word in words]
    where = torch.stack(found).amax(0)  # (t, h, w), of any of the words
    return generate(generator, bank, caption, strengths, seed, sampling, steps, frames, where)


def acting_words(
    concepts: Mapping[str, Concept], names: Collection[str], caption: str
) -> list[str]:
    """The words of a caption that named concepts change: where these are, they act.

    Raises:
        UserError: no concept of that name, or a caption that holds neither of its words.
    """
    return [_word(known_concept(name, concepts), caption) for name in names]


def _word(concept: Concept, caption: str) -> str:
    """The concept's word that a caption holds, as it is written there."""
    slot = concept.slot(caption)
    if slot is None:
        raise UserError(
            f"caption: expected one that holds {concept.source!r} or {concept.target!r} once, got"
            f" {caption!r}; where {concept.name} acts is where that word is"
        )
    return slot.source if slot.pair[0] == caption else slot.target
