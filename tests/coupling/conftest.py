"""A coupling problem small enough for a test: a few hidden factors of a clip show in its latent and
in its tokens.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from transporter.coupling.network import Pairs
from transporter.coupling.settings import CouplingSettings, Phi1Settings, Phi2Settings

LATENT, CONDITION, TOKENS = (4, 2, 4, 4), (3, 5), (6, 8)


def small_settings() -> CouplingSettings:
    return CouplingSettings(
        projections=10,
        phi_1=Phi1Settings(depth=2, width=16, token_width=16, condition_tokens=2),
        phi_2=Phi2Settings(layers=1, width=16, heads=2),
        steps=20,
        batch=8,
        warm_up=2,
        log_every=5,
        save_every=5,
    )


def coupling_pairs(clips: int, seed: int) -> Pairs:
    """Clips whose latents and tokens show the same three factors."""
    fixed = torch.Generator().manual_seed(7)
    to_latent, to_tokens = (
        torch.randn(3, 128, generator=fixed),
        torch.randn(3, TOKENS[0] * TOKENS[1], generator=fixed),
    )
    generator = torch.Generator().manual_seed(seed)
    factors = torch.randn(clips, 3, generator=generator)
    noise = 0.3 * torch.randn(clips, 128, generator=generator)
    z_xi = (factors @ to_latent + noise + 1).unflatten(1, LATENT)
    z_omega = 3 * (factors @ to_tokens).unflatten(1, TOKENS) + torch.arange(48.0).view(TOKENS) / 10
    z_reencoded = z_omega + 2 * torch.randn(z_omega.shape, generator=generator)
    pi = torch.randn(clips, *CONDITION, generator=generator)
    return Pairs(z_xi, pi, z_omega, z_reencoded)


@pytest.fixture(scope="session")
def settings() -> CouplingSettings:
    return small_settings()


@pytest.fixture(scope="session")
def make_pairs() -> Callable[[int, int], Pairs]:
    return coupling_pairs


class LinearVLM:
    """Answers with a fixed linear reading of the tokens, another one for each prompt."""

    device = torch.device("cpu")

    def logits(self, tokens: torch.Tensor, prompt: str) -> torch.Tensor:
        generator = torch.Generator().manual_seed(len(prompt))
        return tokens.flatten(1) @ torch.randn(tokens[0].numel(), 11, generator=generator)


@pytest.fixture
def linear_vlm() -> LinearVLM:
    return LinearVLM()
