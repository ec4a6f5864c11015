"""What a text-to-video generator (the space Xi) must offer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch

from transporter.generators.condition import Condition
from transporter.generators.modulation import Modulation
from transporter.networks.hooks import Layer

CAPTIONS_AT_ONCE = 64
"""Captions that a text encoder is given at once."""


@dataclass(frozen=True)
class Sampling:
    """How clips are sampled; `steps` and `guidance` belong to the generator."""

    steps: int
    guidance: float
    batch: int = 16

    def rows(self, strengths: int) -> int:
        """Captions that are sampled at once, each at so many strengths."""
        return max(1, self.batch // strengths)


class Generator(ABC):
    """A frozen text-to-video model, seen as a velocity field of flow matching.

    Shapes: video `(B, T, C, H, W)` RGB in [0, 1]; latent `z_xi` `(B, c, t, h, w)`, whitened as the
    velocity field sees it; condition `pi`, whose embeddings are `(B, L, d)`. All are float32
    whatever the weights are in, since vectors are made of differences that are lost in bfloat16.
    All methods but `sample` and `encode_text` let gradients through; no weight of the model
    requires one. `sigma` is the noise level of flow matching: `z_t = (1 - sigma) z_0 + sigma
    noise`, with the velocity `noise - z_0`. A model of another kind of diffusion is brought to this
    form exactly (see `cogvideox`).
    """

    video_shape: tuple[int, int, int, int]
    """(T, C, H, W) of the videos it makes."""
    latent_shape: tuple[int, int, int, int]
    """(c, t, h, w)"""
    condition_shape: tuple[int, int]
    """(L, d) of the embeddings."""
    fps: float
    device: torch.device
    dtype: torch.dtype = torch.float32
    """Precision in which velocities are computed, though they come in float32."""

    @abstractmethod
    def encode_text(self, captions: Sequence[str]) -> Condition:
        """Captions to conditions `pi`, B rows."""

    def unconditional(self) -> Condition:
        """What classifier-free guidance leads away from, one row: by default the empty caption."""
        return self.encode_text([""])

    @abstractmethod
    def encode(self, video: torch.Tensor) -> torch.Tensor:
        """E_Xi: video `(B, T, C, H, W)` to latent `(B, c, t, h, w)`."""

    @abstractmethod
    def decode(self, z_xi: torch.Tensor) -> torch.Tensor:
        """D_Xi: latent `(B, c, t, h, w)` to video `(B, T, C, H, W)` in [0, 1]."""

    @abstractmethod
    def velocity(
        self, z_t: torch.Tensor, sigma: torch.Tensor, condition: Condition
    ) -> torch.Tensor:
        """G(z_t, pi, t): `z_t` `(B, c, t, h, w)`, `sigma` `(B,)` in (0, 1] and B conditions to
        `(B, c, t, h, w)`, without guidance.
        """

    @abstractmethod
    def sample(
        self,
        condition: Condition,
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

    def sigmas(self, steps: int) -> list[float]:
        """Noise levels of so many sampling steps, falling from 1 or a little less, and 0 at the
        end; by default evenly spaced.
        """
        return [1 - step / steps for step in range(steps + 1)]

    def recomputing(self) -> AbstractContextManager[None]:
        """While open, backward passes compute layers again instead of keeping what they gave; where
        a model cannot, nothing changes.
        """
        return nullcontext()

    def free(self) -> None:
        """Let go of the weights, where the model can load them again when it needs them."""
        return

    def blocks(self) -> tuple[Layer, ...]:
        """The transformer's blocks in order, to be read by `networks.hooks.recorded` while
        `velocity` runs; empty where a model has none.

        Each gives the tokens of the latent `(B, t' h' w', width)`, see `block_grid`.
        """
        return ()

    @property
    def block_grid(self) -> tuple[int, int, int]:
        """(t', h', w'): how many tokens a block gives along the latent's frames, rows and columns,
        in this order; by default one per place of the latent.
        """
        return self.latent_shape[1:]


def encode_captions(generator: Generator, captions: Sequence[str]) -> Condition:
    """`generator.encode_text` of however many captions, `CAPTIONS_AT_ONCE` at once."""
    firsts = range(0, len(captions), CAPTIONS_AT_ONCE)
    parts = [generator.encode_text(captions[row : row + CAPTIONS_AT_ONCE]) for row in firsts]
    return parts[0] if len(parts) == 1 else Condition.cat(parts)
