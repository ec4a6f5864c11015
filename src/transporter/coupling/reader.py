"""How the VLM reads a latent: through Phi, or by decoding it and encoding the video again."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from transporter.clips.contrast import Concept
from transporter.coupling.network import Coupling
from transporter.generators.base import Generator
from transporter.generators.condition import Condition
from transporter.vlms.base import VLM


@dataclass(frozen=True)
class Reader:
    """A generator, a VLM and, for what is to be read through Phi, the coupling between them."""

    generator: Generator
    vlm: VLM
    coupling: Coupling | None = None

    def reencoded(self, z_xi: torch.Tensor) -> torch.Tensor:
        """E_Omega(D_Xi(z_xi)): latents `(B, c, t, h, w)` to tokens `(B, N, D)`."""
        return self.vlm.encode(self.generator.decode(z_xi).clamp(0, 1))

    def through_phi(
        self, z_xi: torch.Tensor, condition: Condition, z_reencoded: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Phi: latents and the embeddings of B conditions to tokens `z~` `(B, N, D)`;
        `z_reencoded` saves decoding where it is known.
        """
        assert self.coupling is not None
        z_reencoded = self.reencoded(z_xi) if z_reencoded is None else z_reencoded
        return self.coupling(z_xi, condition.embeddings, z_reencoded)

    def answer(self, tokens: torch.Tensor, concept: Concept, support: str = "pair") -> torch.Tensor:
        """The VLM's log-distribution at the concept's question.

        `support` `pair`: over the two words (source, target), renormalised, `(B, 2)`; `vocab`: over
        all tokens, `(B, V)`.
        """
        if support == "vocab":
            return self.vlm.logits(tokens, concept.question).log_softmax(-1)
        return self.vlm.log_probs(
            tokens, concept.question, (concept.source, concept.target)
        ).log_softmax(-1)

    def log_odds(self, tokens: torch.Tensor, concept: Concept) -> torch.Tensor:
        """`log p(target) - log p(source)` `(B,)`, in nats."""
        source, target = self.vlm.log_probs(
            tokens, concept.question, (concept.source, concept.target)
        ).unbind(-1)
        return target - source
