"""A linear world, where the best vector is known: latents move by a linear map of the condition,
and the VLM's log-odds are a share of the latent.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from transporter.clips.contrast import Concept
from transporter.coupling.reader import Reader
from transporter.generators.base import Generator
from transporter.generators.condition import Condition

SLOW = Concept("slow_quick", "action", "slow", "quick", "how fast ?")
DAY = Concept("day_night", "scene", "day", "night", "what time ?")
L, D, SHAPE = 2, 3, (2, 1, 2, 2)
LINEAR = (
    2
    * torch.linalg.qr(
        torch.randn(8, L * D, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    )[0].T
)
CUES = torch.linalg.qr(
    torch.randn(8, 8, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
)[0]
"""What the VLM hangs its answers on: a direction of the latent for each concept."""


def draws(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


class LinearGenerator:
    """The velocity without noise is a linear map of the condition, so the clean estimate moves by
    `-sigma LINEAR q`.
    """

    device, condition_shape = torch.device("cpu"), (L, D)

    unconditional = Generator.unconditional

    dtype = torch.float32

    def encode_text(self, captions: Sequence[str]) -> Condition:
        assert set(captions) == {""}
        return Condition(torch.full((len(captions), L, D), 0.1, dtype=torch.float64))

    def velocity(
        self, z_t: torch.Tensor, sigma: torch.Tensor, condition: Condition
    ) -> torch.Tensor:
        return (condition.embeddings.flatten(1) @ LINEAR).view_as(z_t) + 0.1 * z_t


class LinearReader(Reader):
    """Tokens are the latent; the log-odds of a concept are its cue's share of them."""

    def reencoded(self, z_xi: torch.Tensor) -> torch.Tensor:
        return z_xi.flatten(1)

    def through_phi(
        self, z_xi: torch.Tensor, condition: Condition, z_reencoded: torch.Tensor | None = None
    ) -> torch.Tensor:
        return z_xi.flatten(1) + condition.embeddings.flatten(1).mean(1, keepdim=True)

    def log_odds(self, tokens: torch.Tensor, concept: Concept) -> torch.Tensor:
        return 3 * tokens @ CUES[0 if concept is SLOW else 1]

    def answer(self, tokens: torch.Tensor, concept: Concept, support: str = "pair") -> torch.Tensor:
        odds = self.log_odds(tokens, concept) / 2
        return torch.stack([-odds, odds], -1).log_softmax(-1)
