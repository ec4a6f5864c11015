"""Layers and clips that are computed again: the same gradients in less memory."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, nullcontext
from typing import Any

import pytest
import torch
from torch import nn

from transporter.networks.live_memory import LiveMemory
from transporter.networks.recompute import in_parts, recomputed


class _Block(nn.Module):
    gradient_checkpointing = False

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Sequential(
            nn.Linear(32, 128), nn.GELU(), nn.Dropout(0.5), nn.Linear(128, 32)
        )
        self.seen: list[tuple[bool, bool]] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.seen.append((self.training, self.inner.training))
        return x + self.inner(x)


class _Network(nn.Module):
    """Blocks as both libraries have them: each by its checkpointing function where that is on."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(_Block() for _ in range(6))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for block in self.blocks:
            on = block.gradient_checkpointing and block.training
            x = block._gradient_checkpointing_func(block, x) if on else block(x)
        return x


def gradient(act: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor) -> tuple[Any, int]:
    """Of the mean square, and the most bytes that were there at once."""
    x = x.clone().requires_grad_()
    with LiveMemory() as memory:
        act(x).square().mean().backward()
    return x.grad, memory.peak


@pytest.fixture
def network() -> nn.Module:
    torch.manual_seed(0)
    return _Network().eval().requires_grad_(False)


def test_blocks_that_are_computed_again_change_no_gradient(network: nn.Module) -> None:
    x = torch.randn(64, 32, generator=torch.Generator().manual_seed(1))
    kept, all_bytes = gradient(network, x)
    with recomputed(network):
        made, fewer = gradient(network, x)
    assert torch.equal(made, kept)
    assert fewer < 0.6 * all_bytes
    block = network.blocks[0]
    assert block.seen[1:] == [(True, False)] * 2  # forward and again, dropout asleep
    assert not (block.gradient_checkpointing or block.training)
    assert torch.equal(gradient(network, x)[0], kept)


def test_what_surrounds_a_block_does_so_again(network: nn.Module) -> None:
    entered = []
    with recomputed(network, lambda: entered.append(None) or nullcontext()):
        gradient(network, torch.ones(2, 32))
    assert len(entered) == 6


@pytest.mark.parametrize("at_once", [1, 3, 8, 9, None])
def test_parts_give_the_same_rows_and_gradients(network: nn.Module, at_once: int | None) -> None:
    x = torch.randn(8, 32, generator=torch.Generator().manual_seed(1))
    names, sizes = list("abcdefgh"), []

    def act(x: torch.Tensor, names: list[str]) -> torch.Tensor:
        sizes.append(len(names))
        return network(x) + torch.tensor([[ord(name)] for name in names])

    whole, most = gradient(lambda x: act(x, names), x)
    made, fewer = gradient(lambda x: in_parts(act, at_once, x, names), x)
    torch.testing.assert_close(made, whole)
    torch.testing.assert_close(in_parts(act, at_once, x, names), act(x, names))
    if at_once in (1, 3):
        assert max(sizes[1:-1]) == at_once
        assert fewer < most / 2


def test_parts_and_blocks_go_together(network: nn.Module) -> None:
    x = torch.randn(8, 32, generator=torch.Generator().manual_seed(1))
    peaks = {}
    for blocks in (False, True):
        with ExitStack() as stack:
            if blocks:
                stack.enter_context(recomputed(network))
            made, peaks[blocks] = gradient(lambda x: in_parts(network, 4, x), x)
        torch.testing.assert_close(made, gradient(network, x)[0])
    assert peaks[True] < peaks[False]
