"""What a concept vector is fitted on: pairs of captions that differ in the concept's words, and
clips.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from transporter.clips.contrast import Concept
from transporter.coupling.reader import Reader
from transporter.generators.condition import Condition
from transporter.support.errors import UserError


@dataclass(frozen=True)
class Contexts:
    """What one concept is fitted on: n pairs of conditions, and latents of the clips that gave them
    `(n, c, t, h, w)`.
    """

    pi_minus: Condition
    pi_plus: Condition
    z_xi: torch.Tensor

    def __len__(self) -> int:
        return len(self.pi_minus)


def gather_contexts(
    concept: Concept, captions: Sequence[str], z_xi: torch.Tensor, reader: Reader, limit: int = 512
) -> Contexts:
    """Every clip whose caption holds one of the words gives a context (at most `limit`).

    Raises:
        UserError: no caption holds either word.
    """
    rows = [(row, pair) for row, caption in enumerate(captions) if (pair := concept.pair(caption))][
        :limit
    ]
    if not rows:
        raise UserError(
            f"concept {concept.name}: expected captions with {concept.source!r} or"
            f" {concept.target!r}, found none in {len(captions)}; add clips or drop the concept"
        )
    places, pairs = zip(*rows, strict=True)
    minus, plus = map(reader.generator.encode_text, zip(*pairs, strict=True))
    return Contexts(minus, plus, z_xi[list(places)].to(reader.generator.device))


def draw(
    contexts: Contexts, count: int, random: torch.Generator
) -> tuple[Condition, Condition, torch.Tensor]:
    """pi-, pi+ and z_0 of `count` contexts."""
    rows = torch.randint(len(contexts), (count,), generator=random)
    return contexts.pi_minus[rows], contexts.pi_plus[rows], contexts.z_xi[rows]
