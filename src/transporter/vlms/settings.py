"""Settings of how a VLM is run."""

from __future__ import annotations

from typing import Literal

from transporter.support.settings import section

DeviceMap = Literal["auto", "balanced", "balanced_low_0", "sequential"]
Attention = Literal["eager", "sdpa", "flash_attention_2", "flash_attention_3", "flex_attention"]
Quantisation = Literal["torchao_int8", "torchao_float8", "bitsandbytes_8bit", "bitsandbytes_4bit"]


@section
class Running:
    """What `transformers` offers to save memory or time; null is nothing of the kind."""

    device_map: DeviceMap | None = None
    """How layers are laid over the GPUs that a job sees, and the host, where they do not fit on
    one. Gradients pass no layer that waits on the host.
    """
    attention: Attention | None = None
    """Kernels of attention; null is the library's choice."""
    quantisation: Quantisation | None = None
    """Weights in 8 or 4 bits; needs the package `torchao` or `bitsandbytes`."""
