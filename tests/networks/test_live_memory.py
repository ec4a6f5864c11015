"""Bytes counted without values, against what the allocator gave to the same computation with
values.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from transporter.networks.live_memory import META, LiveMemory, fused_attention

WIDTH, ROWS = 64, 512


def network(device: torch.device) -> nn.Module:
    layers = [nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH)]
    return nn.Sequential(*layers, *layers).to(device).requires_grad_(False)


@pytest.mark.parametrize("device", [torch.device("cpu"), META], ids=str)
def test_the_peak_is_the_allocators(
    device: torch.device, allocated: Callable[[Callable[[], object]], int]
) -> None:
    def step(device: torch.device) -> None:
        net, x = nets[device], torch.empty(ROWS, WIDTH, device=device, requires_grad=True)
        net(x).square().mean().backward()

    nets = {each: network(each) for each in (torch.device("cpu"), META)}
    step(torch.device("cpu"))
    expected = allocated(lambda: step(torch.device("cpu")))
    with LiveMemory() as memory:
        step(device)
    assert memory.peak == expected
    assert memory.live == 0


def test_weights_inputs_and_views_are_no_new_bytes() -> None:
    x = torch.zeros(8, 8, device=META)
    with LiveMemory() as memory:
        y = x.view(4, 16)[1:].T
        y.add_(1)
        assert memory.peak == 0
        z = y + 1
        assert memory.live == z.nbytes
        del z
        assert (memory.live, memory.peak) == (0, 3 * 16 * 4)


def test_whole_numbers_keep_their_values() -> None:
    ids = torch.tensor([2, 0, 1])
    with LiveMemory():
        moved = ids.to(META)
        assert moved.tolist() == [2, 0, 1]
        assert torch.arange(3, device=META).tolist() == [0, 1, 2]
        weights = torch.empty(3, 5, device=META)
        assert weights[moved].shape == F.embedding(ids, weights).shape == (3, 5)
        assert weights[ids > 0].shape == (2, 5)
        assert (weights * ids[:, None]).is_meta


def test_fused_attention_holds_no_scores() -> None:
    q = torch.empty(1, 2, 300, 16, device=META, requires_grad=True)
    peaks = {}
    for kernel in (SDPBackend.FLASH_ATTENTION, SDPBackend.MATH):
        with fused_attention(), sdpa_kernel(kernel), LiveMemory() as memory:
            F.scaled_dot_product_attention(q, q, value=q).sum().backward()
        peaks[kernel] = memory.peak
    scores = 2 * 300 * 300 * 4
    assert peaks[SDPBackend.FLASH_ATTENTION] < scores < peaks[SDPBackend.MATH]
    assert F.scaled_dot_product_attention.__name__ == "scaled_dot_product_attention"
    assert q.grad.shape == q.shape
