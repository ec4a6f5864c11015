"""The shared training loop: resuming is exact, averages are kept, and Muon's views are the weights
themselves.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from microworld.training import loop
from transporter.training.loop import Schedule, fit
from transporter.training.optimiser import MuonAdamW, StackedMuon, warm_then_decay


def _train(folder: Path, steps: int, stop_after: int | None = None, ema: float = 0.9) -> nn.Module:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))
    optimiser = MuonAdamW(model.named_parameters(), muon_lr=0.01, adam_lr=3e-3)

    def loss(step: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
        if step == stop_after:
            raise KeyboardInterrupt
        x = torch.randn(16, 4, generator=generator)
        return {"loss": (model(x) - x[:, :3]).square().mean()}

    averages, _ = fit(
        model, optimiser, loss, Schedule(steps, seed=1, log_every=5, save_every=10, ema=ema), folder
    )
    return averages


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_an_interrupted_run_ends_as_an_uninterrupted_one(tmp_path: Path, ema: float) -> None:
    straight = _train(tmp_path / "straight", 40, ema=ema)
    with pytest.raises(KeyboardInterrupt):
        _train(tmp_path / "broken", 40, stop_after=27, ema=ema)
    resumed = _train(tmp_path / "broken", 40, ema=ema)
    assert all(
        torch.equal(a, b) for a, b in zip(straight.parameters(), resumed.parameters(), strict=True)
    )
    assert json.loads((tmp_path / "broken" / "summary.json").read_text())["steps"] == 40


def test_a_summary_names_all_devices_of_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(KeyboardInterrupt):
        _train(tmp_path, 40, stop_after=25)
    monkeypatch.setattr(loop, "_name", lambda device: "another")
    for _ in range(2):  # the second time there is nothing left to do on any device
        _train(tmp_path, 40)
        assert json.loads((tmp_path / "summary.json").read_text())["device"] == "cpu, another"


def test_the_loss_falls_and_its_curve_is_written(tmp_path: Path) -> None:
    _train(tmp_path, 200)
    lines = (tmp_path / "curve.tsv").read_text().splitlines()
    assert lines[0].split("\t") == ["step", "loss", "steps_per_second"]
    first, last = float(lines[1].split("\t")[1]), float(lines[-1].split("\t")[1])
    assert last < 0.6 * first


def test_a_run_that_is_too_short_for_a_line_has_its_last_step_in_the_curve(tmp_path: Path) -> None:
    _train(tmp_path, 2)
    assert [line.split("\t")[0] for line in (tmp_path / "curve.tsv").read_text().splitlines()] == [
        "step",
        "2",
    ]


def test_stacked_muon_is_the_muon_of_torch() -> None:
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
        assert torch.allclose(
            mine, other, atol=2e-3
        )  # bfloat16 rounds products of stacks in another order
    assert torch.equal(ours[-1], start[-1])
    assert optimisers[0].state_dict()["state"].keys() == optimisers[1].state_dict()["state"].keys()


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last_3d])
def test_muon_moves_convolution_kernels_in_place(layout: torch.memory_format) -> None:
    model = nn.Conv3d(3, 4, 3)
    model.weight.data = model.weight.data.contiguous(memory_format=layout)
    optimiser = MuonAdamW(
        [("block.weight", model.weight), ("block.bias", model.bias)], muon_lr=0.1, adam_lr=0.1
    )
    before = model.weight.detach().clone()
    model(torch.randn(2, 3, 5, 5, 5)).square().mean().backward()
    optimiser.step()
    change = (model.weight.detach() - before).flatten(1)
    # an orthogonalised update: all singular values are alike, up to the five Newton-Schulz steps
    values = torch.linalg.svdvals(change)
    assert values.min() > 0.4 * values.max() > 0


def test_schedule_warms_up_and_decays_to_its_floor() -> None:
    factor = warm_then_decay(1000, warm=100, decay_from=0.5, floor=0.02)
    assert factor(0) == pytest.approx(0.01)
    assert factor(300) == 1.0
    assert factor(750) == pytest.approx(0.5)
    assert factor(999) == pytest.approx(0.02)
