"""A sweep as the VLM reads it."""

from __future__ import annotations

import torch

from transporter.clips.contrast import Concept
from transporter.coupling.reader import Reader
from transporter.explainer.explanation import Explanation
from transporter.generators.condition import Condition


@torch.no_grad()
def read_sweep(
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
