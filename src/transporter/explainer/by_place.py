"""Concepts that act only where their words are: the places come from the clip without them."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from transporter.clips.contrast import Concept
from transporter.concepts.bank import ConceptBank
from transporter.explainer.location import places_of
from transporter.explainer.names import known_concept
from transporter.generation.sweeps import composed, generate
from transporter.generators.base import Generator, Sampling
from transporter.generators.modulation import WHOLE, Modulation
from transporter.support.errors import UserError


@torch.no_grad()
def generate_by_place(
    generator: Generator,
    bank: ConceptBank,
    concepts: Mapping[str, Concept],
    caption: str,
    strengths: Mapping[str, float],
    seed: int,
    sampling: Sampling,
    steps: tuple[float, float] = WHOLE,
    frames: tuple[float, float] = WHOLE,
) -> torch.Tensor:
    """As `generation.sweeps.generate`, with the change in the places of the concepts' words alone.

    The clip is made without them first, and each concept's word of the caption is found in it.

    Args:
        concepts: by name, at least those of `strengths`, which must not be empty.

    Raises:
        UserError: the caption holds neither word of a concept, or a generator whose attention is
            not known.
    """
    words = [_word(known_concept(name, concepts), caption) for name in strengths]
    plain = generate(generator, bank, caption, {}, seed, sampling)
    found = [places_of(generator, plain, word, caption, seed) for word in words]
    where = torch.stack(found).amax(0)  # (t, h, w), of any of the words
    condition = generator.encode_text([caption])
    change = composed(bank, condition, strengths)
    modulation = Modulation(change, steps, frames, where)
    z_xi = generator.sample(condition, [seed], sampling.steps, sampling.guidance, modulation)
    return generator.decode(z_xi)[0].clamp(0, 1)


def _word(concept: Concept, caption: str) -> str:
    """The concept's word that a caption holds, as it is written there."""
    slot = concept.slot(caption)
    if slot is None:
        raise UserError(
            f"caption: expected one that holds {concept.source!r} or {concept.target!r} once, got"
            f" {caption!r}; where {concept.name} acts is where that word is"
        )
    return slot.source if slot.pair[0] == caption else slot.target
