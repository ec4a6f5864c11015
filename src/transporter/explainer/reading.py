"""A sweep as the VLM reads it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from transporter.clips.contrast import Concept
from transporter.concepts.bank import ConceptBank
from transporter.coupling.reader import Reader
from transporter.explainer.explanation import Explanation
from transporter.generation.sweeps import full_change, sweep
from transporter.generators.base import Sampling
from transporter.generators.condition import Condition
from transporter.generators.wording import readable
from transporter.support.errors import UserError


def read_sweep(
    reader: Reader,
    bank: ConceptBank,
    sampling: Sampling,
    concept: Concept,
    caption: str,
    phi: Sequence[float],
    seed: int,
    steps: tuple[float, float],
    frames: tuple[float, float],
) -> Explanation:
    """Clips of one caption at several strengths of a concept of the bank, and what the VLM answers
    about them; the arguments are those of `Explainer.sweep`.
    """
    phis = tuple(sorted(float(value) for value in phi))
    if not phis or len(set(phis)) < len(phis) or not all(map(math.isfinite, phis)):
        raise UserError(f"phi: expected different numbers, at least one, got {list(phi)}")
    generator = reader.generator
    caption = readable(generator, caption)
    pair = concept.pair(caption) or (caption, caption)
    condition, change = full_change("transporter", concept, [pair], generator, bank, seed)
    [z_xi] = sweep(generator, condition, change, phis, [seed], sampling, steps, frames)
    return _read(reader, concept, pair[0], seed, phis, z_xi, condition)


@torch.no_grad()
def _read(
    reader: Reader,
    concept: Concept,
    caption: str,
    seed: int,
    phis: tuple[float, ...],
    z_xi: torch.Tensor,
    condition: Condition,
) -> Explanation:
    """What the VLM answers about clips of one caption, decoded from latents `(P, c, t, h, w)` that
    were made at strengths `phis` under a condition of one row.
    """
    video = reader.generator.decode(z_xi).clamp(0, 1)
    tokens = reader.vlm.encode(video)
    through_phi = None
    if reader.coupling is not None:
        # Phi is told the caption alone, so that a vector moves the answer by the latent
        pi = condition[[0] * len(z_xi)]
        read = reader.through_phi(z_xi, pi, tokens)
        through_phi = reader.log_odds(read, concept).cpu()
    odds = reader.log_odds(tokens, concept).cpu()
    return Explanation(
        concept,
        caption,
        seed,
        phis,
        z_xi.cpu(),
        video.cpu(),
        odds,
        through_phi,
        reader.generator.fps,
    )
