"""Half precision for training, on whichever device computes in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from transporter.networks.precision import has_bfloat16


@contextmanager
def half_precision(device: torch.device | str) -> Iterator[None]:
    """Autocast to bfloat16 where the device has units for it; weights stay in single precision."""
    device = torch.device(device)
    kind = device.type
    # with so few tokens the fused attention's backward pass costs a CPU more than the plain one's
    attention = sdpa_kernel(SDPBackend.MATH) if kind == "cpu" else nullcontext()
    with torch.autocast(kind, torch.bfloat16, has_bfloat16(device)), attention:
        yield
