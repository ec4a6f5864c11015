"""Phi_2: a Transformer that mends the relations between re-encoded tokens."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from transporter.coupling.mixer import PerceptronBlock, zero_linear
from transporter.coupling.settings import Phi2Settings
from transporter.support.errors import UserError


def gram(z: torch.Tensor) -> torch.Tensor:
    """H(z) = z z^T of tokens scaled by 1 / sqrt(D): `(B, N, D)` to `(B, N, N)`."""
    return z @ z.transpose(-1, -2) / z.shape[-1]


class AttentionBlock(nn.Module):
    """Pre-norm self-attention and MLP, both residual; `(B, N, width)` to the same."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.before_attention, self.before_mlp = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = PerceptronBlock(width, 4 * width, dropout)

    def attention(self, x: torch.Tensor) -> torch.Tensor:
        """Every token attends to all; `(B, N, width)` to the same."""
        q, k, v = (
            self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        )  # each (B, heads, N, width / heads)
        return self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """`(B, N, width)` to the same."""
        x = x + self.attention(self.before_attention(x))
        return x + self.mlp(self.before_mlp(x))


class Phi2(nn.Module):
    """Transformer with a residual around all of it and a zero-initialised output: it starts as the
    identity.

    Args:
        tokens_shape: `(N, D)` of the tokens it takes and gives.

    Raises:
        UserError: a width that the heads do not divide.
    """

    def __init__(self, tokens_shape: tuple[int, int], settings: Phi2Settings) -> None:
        super().__init__()
        width = settings.width
        if width % settings.heads:
            raise UserError(
                f"coupling.phi_2.width: expected a multiple of heads ({settings.heads}), got"
                f" {width}"
            )
        self.embed = nn.Linear(tokens_shape[1], width)
        self.positions = nn.Parameter(torch.randn(tokens_shape[0], width) * 0.02)
        blocks = (
            AttentionBlock(width, settings.heads, settings.dropout) for _ in range(settings.layers)
        )
        self.blocks = nn.Sequential(*blocks)
        self.norm, self.out = nn.LayerNorm(width), zero_linear(width, tokens_shape[1])

    def forward(self, z_reencoded: torch.Tensor) -> torch.Tensor:
        """`z_reencoded = E_Omega(D_Xi(z_xi))` `(B, N, D)` to `z2` `(B, N, D)`."""
        return z_reencoded + self.out(
            self.norm(self.blocks(self.embed(z_reencoded) + self.positions))
        )
