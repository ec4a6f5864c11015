"""Which precision a device computes in, and what is computed in single precision whatever the
weights are in.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import nn
from torch.autograd.function import FunctionCtx

ROWS = 16384
"""Of a matrix of weights, so many are held in single precision at once."""


@cache
def has_bfloat16(device: torch.device) -> bool:
    """Whether a device has units for bfloat16; a processor without them emulates every product, a
    hundred times slower than in single precision.
    """
    return device.type != "cpu" or torch.ops.mkldnn._is_mkldnn_bf16_supported()


class _Products(torch.autograd.Function):
    """`x @ weight.T` in float32 of frozen weights, a part of their rows at a time."""

    @staticmethod
    def forward(ctx: FunctionCtx, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        ctx.weight = weight
        return torch.cat([x @ part.float().T for part in weight.split(ROWS)], -1)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        parts = zip(gradient.split(ROWS, -1), ctx.weight.split(ROWS), strict=True)
        return sum(outer @ part.float() for outer, part in parts), None


def single_precision_output(layer: nn.Linear) -> None:
    """Let a frozen linear layer whose weights are of half precision give its output in float32.

    Logits are large and what is asked of them is small: at 40, steps of bfloat16 are 0.25.
    """
    if layer.weight.dtype == torch.float32:
        return

    def exact(module: nn.Linear, args: tuple[torch.Tensor], output: torch.Tensor) -> torch.Tensor:
        products = _Products.apply(args[0].float(), module.weight)
        return products if module.bias is None else products + module.bias.float()

    layer.register_forward_hook(exact)
