"""Muon's views are the weights themselves, and stacking changes nothing."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from transporter.training import optimiser as stacked
from transporter.training.optimiser import StackedMuon, muon_adamw


@pytest.mark.parametrize(("units", "tolerance"), [(True, 2e-3), (False, 2e-2)])
def test_stacked_muon_is_the_muon_of_torch(
    units: bool, tolerance: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In its bfloat16, and nearly so in single precision."""
    monkeypatch.setattr(stacked, "has_bfloat16", lambda device: units)
    generator = torch.Generator().manual_seed(0)
    shapes = [(8, 8), (8, 8), (12, 5), (5, 12), (12, 5), (6, 6)]
    start = [torch.randn(shape, generator=generator) for shape in shapes]
    ours, theirs = ([nn.Parameter(weight.clone()) for weight in start] for _ in range(2))
    optimisers = (
        StackedMuon(ours, lr=0.05, weight_decay=0.1),
        torch.optim.Muon(theirs, lr=0.05, weight_decay=0.1),
    )
    for _ in range(3):
        for mine, other in zip(ours[:-1], theirs[:-1], strict=True):
            mine.grad = torch.randn(mine.shape, generator=generator)
            other.grad = mine.grad.clone()
        for optimiser in optimisers:
            optimiser.step()
    for mine, other in zip(ours, theirs, strict=True):
        # bfloat16 rounds products of stacks in another order
        assert torch.allclose(mine, other, atol=tolerance)
    assert torch.equal(ours[-1], start[-1])
    assert optimisers[0].state_dict()["state"].keys() == optimisers[1].state_dict()["state"].keys()


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last_3d])
def test_muon_moves_convolution_kernels_in_place(layout: torch.memory_format) -> None:
    model = nn.Conv3d(3, 4, 3)
    model.weight.data = model.weight.data.contiguous(memory_format=layout)
    named = [("block.weight", model.weight), ("block.bias", model.bias)]
    optimisers = muon_adamw(named, muon_lr=0.1, adam_lr=0.1)
    before = model.weight.detach().clone()
    model(torch.randn(2, 3, 5, 5, 5)).square().mean().backward()
    for optimiser in optimisers:
        optimiser.step()
    change = (model.weight.detach() - before).flatten(1)
    # an orthogonalised update: all singular values are alike, up to the five Newton-Schulz steps
    values = torch.linalg.svdvals(change)
    assert values.min() > 0.4 * values.max() > 0


def test_a_kernel_moves_alike_in_every_layout() -> None:
    kernels = [nn.Parameter(torch.zeros(4, 3, 2, 2, 2)) for _ in range(2)]
    kernels[1].data = kernels[1].data.contiguous(memory_format=torch.channels_last_3d)
    gradient = torch.randn(4, 3, 2, 2, 2, generator=torch.Generator().manual_seed(0))
    for kernel in kernels:
        kernel.grad = gradient.clone()
        StackedMuon([kernel], lr=0.1).step()
    torch.testing.assert_close(kernels[0], kernels[1], atol=2e-3, rtol=2e-2)
    assert kernels[0].abs().max() > 0.01


def test_both_optimisers_share_what_is_trained() -> None:
    model = nn.ModuleDict(
        {"norm": nn.Linear(3, 4), "inner": nn.Linear(4, 5), "out": nn.Linear(5, 2)}
    )
    model["out"].requires_grad_(False)
    muon, adam = muon_adamw(model.named_parameters(), muon_lr=0.1, adam_lr=0.1)
    [views], [rest] = (
        [group["params"] for group in optimiser.param_groups] for optimiser in (muon, adam)
    )
    assert [view.data_ptr() for view in views] == [model["inner"].weight.data_ptr()]
    assert {id(weight) for weight in rest} == {
        id(weight) for weight in (model["norm"].weight, model["norm"].bias, model["inner"].bias)
    }
    muon, _ = muon_adamw(model.named_parameters(), muon_lr=0.1, adam_lr=0.1, also=("norm",))
    assert len(muon.param_groups[0]["params"]) == 2
