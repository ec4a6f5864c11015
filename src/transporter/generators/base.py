"""What a text-to-video generator (the space Xi) must offer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from transporter.generators.modulation import Modulation


@dataclass(frozen=True)
class Sampling:
    """How clips are sampled; `steps` and `guidance` belong to the generator."""

    steps: int
    guidance: float
    batch: int = 16


class Generator(ABC):
    """A frozen flow-matching text-to-video model.

    Shapes: video `(B, T, C, H, W)` RGB in [0, 1]; latent `z_xi` `(B, c, t, h, w)`, whitened as the
    velocity field sees it; condition `pi` `(B, L, d)`, text-encoder states with padding zeroed. All
    methods but `sample` and `encode_text` let gradients through; no weight of the model requires
    one. `sigma` is the noise level of flow matching: `z_t = (1 - sigma) z_0 + sigma noise`, with
    the velocity `noise - z_0`.
    """

    video_shape: tuple[int, int, int, int]
    """(T, C, H, W) of the videos it makes."""
    latent_shape: tuple[int, int, int, int]
    """(c, t, h, w)"""
    condition_shape: tuple[int, int]
    """(L, d)"""
    fps: float
    device: torch.device

    @abstractmethod
    def encode_text(self, captions: Sequence[str]) -> torch.Tensor:
        """Captions to conditions `pi` `(B, L, d)`; the empty caption is the unconditional one."""

    @abstractmethod
    def encode(self, video: torch.Tensor) -> torch.Tensor:
        """E_Xi: video `(B, T, C, H, W)` to latent `(B, c, t, h, w)`."""

    @abstractmethod
    def decode(self, z_xi: torch.Tensor) -> torch.Tensor:
        """D_Xi: latent `(B, c, t, h, w)` to video `(B, T, C, H, W)` in [0, 1]."""

    @abstractmethod
    def velocity(
        self, z_t: torch.Tensor, sigma: torch.Tensor, condition: torch.Tensor
    ) -> torch.Tensor:
        """G(z_t, pi, t): `z_t` `(B, c, t, h, w)`, `sigma` `(B,)` in (0, 1], `condition` `(B, L, d)`
        to `(B, c, t, h, w)`.
        """

    @abstractmethod
    def sample(
        self,
        condition: torch.Tensor,
        seeds: Sequence[int],
        steps: int,
        guidance: float,
        modulation: Modulation | None = None,
    ) -> torch.Tensor:
        """Generate latents `(B, c, t, h, w)`, clip b from the noise of `seeds[b]` whatever the
        batch.

        `modulation` changes the condition during sampling (see
        `transporter.generators.modulation`). Its delta may hold R rows per condition, side by side:
        the result is then `(B R, c, t, h, w)`, and steps before the modulation begins run once for
        all R.
        """
