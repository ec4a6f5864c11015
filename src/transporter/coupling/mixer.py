"""Phi_1: an MLP-Mixer from the generator's latent and condition to the VLM's tokens."""

from __future__ import annotations

from math import prod

import torch
import torch.nn.functional as F
from torch import nn

from transporter.coupling.settings import Phi1Settings
from transporter.support.errors import UserError


class PerceptronBlock(nn.Sequential):
    """Linear, GELU, linear: `(..., width)` to `(..., width)`."""

    def __init__(self, width: int, hidden: int, dropout: float) -> None:
        super().__init__(
            nn.Linear(width, hidden), nn.GELU(), nn.Dropout(dropout), nn.Linear(hidden, width)
        )


def zero_linear(inputs: int, outputs: int) -> nn.Linear:
    """A linear map that starts as zero for every input."""
    layer = nn.Linear(inputs, outputs)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


class MixerBlock(nn.Module):
    """One Mixer layer: an MLP across tokens, then one across channels, both residual;
    `(B, S, width)` to the same.
    """

    def __init__(self, tokens: int, width: int, token_width: int, dropout: float) -> None:
        super().__init__()
        self.before_tokens, self.before_channels = nn.LayerNorm(width), nn.LayerNorm(width)
        self.across_tokens = PerceptronBlock(tokens, token_width, dropout)
        self.across_channels = PerceptronBlock(width, 2 * width, dropout)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """`(B, S, width)` to the same."""
        x = x + self.across_tokens(self.before_tokens(x).transpose(1, 2)).transpose(1, 2)
        return x + self.across_channels(self.before_channels(x))


def _mixer(tokens: int, settings: Phi1Settings) -> nn.Sequential:
    """Mixer layers, `(B, tokens, width)` to the same."""
    sizes = (tokens, settings.width, settings.token_width, settings.dropout)
    return nn.Sequential(*(MixerBlock(*sizes) for _ in range(settings.depth)))


class ConditionPool(nn.Module):
    """Learnt queries gather the condition `(B, L, d)` into `(B, K, width)`.

    Padding is not masked: it carries the same states in every caption, and a concept vector may be
    added to it.
    """

    def __init__(self, condition_width: int, tokens: int, width: int) -> None:
        super().__init__()
        self.queries = nn.Parameter(torch.randn(tokens, width) * width**-0.5)
        self.keys, self.values = (
            nn.Linear(condition_width, width),
            nn.Linear(condition_width, width),
        )

    def forward(self, pi: torch.Tensor) -> torch.Tensor:
        """`(B, L, d)` to `(B, K, width)`."""
        queries = self.queries.expand(len(pi), -1, -1)
        return F.scaled_dot_product_attention(queries, self.keys(pi), self.values(pi))


def _patch(patch: tuple[int, int, int], grid: tuple[int, int, int]) -> tuple[int, int, int]:
    """Latent cells per patch in time, height and width.

    Raises:
        UserError: one that does not divide the latent's.
    """
    if any(size % part for size, part in zip(grid, patch, strict=True)):
        raise UserError(
            f"coupling.phi_1.patch: expected divisors of the latent's {grid}, got {tuple(patch)}"
        )
    return tuple(patch)


class Phi1(nn.Module):
    """MLP-Mixer on latent patches, with pooled condition tokens mixed in; starts at zero for every
    input.

    Args:
        latent_shape: `(c, t, h, w)` of `z_xi`.
        condition_shape: `(L, d)` of `pi`.
        tokens_shape: `(N, D)` of the tokens it gives out.

    Raises:
        UserError: a patch size that does not divide the latent.
    """

    def __init__(
        self,
        latent_shape: tuple[int, int, int, int],
        condition_shape: tuple[int, int],
        tokens_shape: tuple[int, int],
        settings: Phi1Settings,
    ) -> None:
        super().__init__()
        channels, *grid = latent_shape
        self.patch = _patch(settings.patch, tuple(grid))
        cells = prod(self.patch)
        patches, width = prod(grid) // cells, settings.width
        tokens = patches + settings.condition_tokens
        # weights are drawn in this order
        self.embed = nn.Linear(channels * cells, width)
        self.positions = nn.Parameter(torch.randn(patches, width) * 0.02)
        self.condition = None
        if settings.condition_tokens:
            self.condition = ConditionPool(condition_shape[1], settings.condition_tokens, width)
        self.blocks = _mixer(tokens, settings)
        self.to_tokens = nn.Linear(tokens, tokens_shape[0])
        self.norm, self.out = nn.LayerNorm(width), zero_linear(width, tokens_shape[1])

    def patches(self, z_xi: torch.Tensor) -> torch.Tensor:
        """`(B, c, t, h, w)` to `(B, patches, c * cells)`, time slowest."""
        (pt, ph, pw), (b, c, t, h, w) = self.patch, z_xi.shape
        x = z_xi.reshape(b, c, t // pt, pt, h // ph, ph, w // pw, pw)
        return x.permute(0, 2, 4, 6, 1, 3, 5, 7).flatten(4).flatten(1, 3)

    def forward(self, z_xi: torch.Tensor, pi: torch.Tensor) -> torch.Tensor:
        """`z_xi` `(B, c, t, h, w)` and `pi` `(B, L, d)` to tokens `(B, N, D)`."""
        x = self.embed(self.patches(z_xi)) + self.positions
        if self.condition is not None:
            x = torch.cat([x, self.condition(pi)], 1)
        x = self.blocks(x)
        return self.out(self.norm(self.to_tokens(x.transpose(1, 2)).transpose(1, 2)))
