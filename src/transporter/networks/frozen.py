"""Networks whose weights stay as they are."""

from __future__ import annotations

import torch
from torch import nn


def frozen(module: nn.Module, device: torch.device | None) -> nn.Module:
    """Put a module in evaluation mode on `device`, or None for where it is, and stop its weights
    from asking for gradients. One without weights, on `meta`, stays there.
    """
    if device is not None and not any(weight.is_meta for weight in module.parameters()):
        module = module.to(device)
    return module.eval().requires_grad_(False)


def kernels_to(module: nn.Module, layout: torch.memory_format) -> None:
    """Lay out the kernels of all 3-D convolutions; channels-last makes the forward pass of a VAE a
    quarter faster on a CPU.
    """
    for part in module.modules():
        if isinstance(part, nn.Conv3d):
            part.weight.data = part.weight.data.contiguous(memory_format=layout)
