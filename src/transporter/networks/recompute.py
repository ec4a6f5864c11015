"""Backward passes that compute layers, or clips, again instead of keeping what they gave."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

Around = Callable[[], AbstractContextManager[None]]
"""What a network computes in, such as a choice of kernels; entered again when it computes again."""


def again(act: Callable[..., Any], *arguments: Any, around: Around = nullcontext) -> Any:
    """`act(*arguments)`, of which the backward pass finds nothing but the arguments."""
    return checkpoint(
        act,
        *arguments,
        use_reentrant=False,
        context_fn=lambda: (nullcontext(), around()),
    )


@contextmanager
def recomputed(network: nn.Module, around: Around = nullcontext) -> Iterator[None]:
    """While open, the backward pass computes each block again that `diffusers` or `transformers`
    can checkpoint; a network without such blocks stays as it is.
    """
    blocks = [block for block in network.modules() if hasattr(block, "gradient_checkpointing")]
    before = [(block.gradient_checkpointing, block.training) for block in blocks]

    def act(block: Callable[..., Any], *arguments: Any) -> Any:
        return again(block, *arguments, around=around)

    for block in blocks:
        block.gradient_checkpointing = True
        block._gradient_checkpointing_func = act
        # those of transformers ask for it; parts of the block, such as dropout, stay as they are
        block.training = True
    try:
        yield
    finally:
        for block, (checkpointing, training) in zip(blocks, before, strict=True):
            block.gradient_checkpointing, block.training = checkpointing, training


def in_parts(act: Callable[..., torch.Tensor], at_once: int | None, *rows: Any) -> torch.Tensor:
    """`act` of B rows (tensors, conditions, lists), `at_once` at a time; the results side by side.

    Where gradients are wanted, the backward pass computes one part after the other again, so that
    what it needs of all rows is never there together. None is all rows at once, kept as usual.
    """
    count = len(rows[0])
    if at_once is None or at_once >= count:
        return act(*rows)
    parts = [slice(first, first + at_once) for first in range(0, count, at_once)]
    return torch.cat([again(act, *(values[part] for values in rows)) for part in parts])
