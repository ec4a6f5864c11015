"""Settings of how a generator's networks are run."""

from __future__ import annotations

from typing import Literal

from transporter.support.settings import Place, Positive, section

Offload = Literal["model", "group", "sequential"]
Storage = Literal["float8_e4m3fn", "float8_e5m2"]
Quantisation = Literal["torchao_int8", "torchao_float8", "bitsandbytes_8bit", "bitsandbytes_4bit"]
Attention = Literal[
    "native",
    "_native_math",
    "_native_efficient",
    "_native_flash",
    "_native_cudnn",
    "flash",
    "_flash_3",
    "flex",
    "sage",
    "xformers",
]
"""Kernels by the names of `diffusers`, without those that it takes from the hub, which are code."""
Cache = Literal["first_block", "taylorseer"]


@section
class Running:
    """What `diffusers` offers to save memory or time, as it has it; null is nothing of the kind."""

    offload: Offload | None = None
    """Where weights wait on the host: whole networks (`model`), blocks of layers (`group`), or
    layers (`sequential`). Not where vectors are fitted, which follows a gradient.
    """
    tiling: bool | None = None
    """Encode and decode in tiles, which large videos need room for; seams may show."""
    slicing: bool | None = None
    """Encode and decode a clip at a time; null is so on a GPU alone."""
    attention: Attention | None = None
    """Kernels of the transformer's attention; `sage` computes in 8 bits, which changes numbers."""
    storage: Storage | None = None
    """Precision in which the transformer's weights wait; layers compute in `dtype`. Those that a
    gradient passes stay in `dtype` until it has.
    """
    quantisation: Quantisation | None = None
    """Weights of transformer and text encoders in 8 or 4 bits; needs the package `torchao` or
    `bitsandbytes`.
    """
    compile: bool | None = None
    """Compile the transformer's blocks (regional compilation)."""
    cache: Cache | None = None
    """What of a step is taken from those before while clips are sampled. It loses something, and
    not as much at every strength: compare no strengths with it.
    """
    lora: Place | None = None
    """File or folder of low-rank weights for the transformer; needs the package `peft`. Those made
    for few steps slow what moves.
    """
    lora_scale: Positive = 1.0
    """Their weight."""
