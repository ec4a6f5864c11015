"""Which precision a device computes in."""

from __future__ import annotations

from functools import cache

import torch


@cache
def has_bfloat16(device: torch.device) -> bool:
    """Whether a device has units for bfloat16; a processor without them emulates every product, a
    hundred times slower than in single precision.
    """
    return device.type != "cpu" or torch.ops.mkldnn._is_mkldnn_bf16_supported()
