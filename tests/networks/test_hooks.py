from __future__ import annotations

import pytest
import torch
from torch import nn

from transporter.baselines.terms import multipliers
from transporter.networks.hooks import Layer, batch_norms, blocks, named, recorded
from transporter.support.errors import UserError


class Branching(nn.Module):
    """Two lists of blocks, the second with a list inside its blocks; one block is called twice, one
    never.
    """

    def __init__(self) -> None:
        super().__init__()
        self.unused = nn.ModuleList([nn.Identity(), nn.Identity()])
        self.blocks = nn.ModuleList([nn.Module(), nn.Linear(2, 3)])
        self.blocks[0].parts = nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2)])
        self.blocks[0].forward = lambda x: (self.blocks[0].parts[0](x), "cache")
        self.alone = nn.ModuleList([nn.Linear(3, 3)])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden, _ = self.blocks[0](self.blocks[0](x)[0])
        return self.blocks[1](hidden)


def test_blocks_are_the_members_of_outer_lists() -> None:
    assert [layer.name for layer in blocks(Branching())] == [
        "unused.0",
        "unused.1",
        "blocks.0",
        "blocks.1",
    ]


def test_recording_follows_execution_and_joins_calls() -> None:
    network, x = Branching(), torch.randn(1, 4, 2)
    with recorded(blocks(network)[::-1]) as features:
        made = network(x)
    assert list(features) == ["blocks.0", "blocks.1"]
    assert torch.equal(features["blocks.1"].positions(), made[0])
    once = network.blocks[0](x)[0]
    both = torch.cat([once, network.blocks[0](once)[0]], 1)
    assert torch.equal(features["blocks.0"].positions(), both[0])
    torch.testing.assert_close(features["blocks.0"].mean(), both[0].mean(0))


def test_no_hook_is_left_behind() -> None:
    network = Branching()
    with recorded(blocks(network)) as features, pytest.raises(RuntimeError):
        network(torch.randn(1, 4, 99))
    assert not any(module._forward_hooks for module in network.modules())
    network(torch.randn(1, 4, 2))
    assert not features


def test_batch_norms_are_read_before_they_normalise() -> None:
    network = nn.Sequential(nn.Conv3d(3, 4, 1), nn.BatchNorm3d(4)).eval()
    x = torch.randn(2, 3, 2, 5, 5)
    with recorded(batch_norms(network)) as features:
        network(x)
    mean, variance = features["1"].moments()
    before = network[0](x)
    torch.testing.assert_close(mean, before.mean((0, 2, 3, 4)))
    torch.testing.assert_close(variance, before.var((0, 2, 3, 4), correction=0))


def test_named_modules_and_their_misspelling() -> None:
    network = nn.Sequential(nn.Conv3d(3, 4, 1))
    assert named(network, ["0"]) == (Layer("0", network[0], 1),)
    with pytest.raises(UserError, match="names of modules of Sequential, got 'O'"):
        named(network, ["O"])


def test_multipliers_are_those_of_the_published_code() -> None:
    assert multipliers(4, 10) == [10, 11, 6, pytest.approx(1 + 10 / 3)]
