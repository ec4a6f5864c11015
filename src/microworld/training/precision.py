"""Half precision for training, on whichever device computes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel


@contextmanager
def half_precision(device: torch.device | str) -> Iterator[None]:
    """Autocast to bfloat16; weights stay in single precision."""
    kind = torch.device(device).type
    # with so few tokens the fused attention's backward pass costs a CPU more than the plain one's
    attention = sdpa_kernel(SDPBackend.MATH) if kind == "cpu" else nullcontext()
    with torch.autocast(kind, torch.bfloat16), attention:
        yield
