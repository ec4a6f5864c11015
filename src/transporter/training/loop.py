"""One resumable training loop for every microworld model."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import nn

from transporter.support.checkpoint import load_checkpoint, save_checkpoint
from transporter.training.optimiser import MuonAdamW, warm_then_decay

Losses = Mapping[str, torch.Tensor]
"""Named terms of one step; the one named `loss` is minimised, all are logged."""


@dataclass(frozen=True)
class Schedule:
    """How long to train, how often to write, and where to compute. `ema` 0 keeps no average of the
    weights. The learning rate rises for `warm` steps and falls after the share `decay_from` of all.

    Clips and noise are drawn on the CPU whatever the `device`, so that each step sees the same ones
    everywhere.
    """

    steps: int
    seed: int = 0
    log_every: int = 50
    save_every: int = 250
    ema: float = 0.0
    warm: int = 100
    decay_from: float = 0.5
    max_norm: float = 1.0
    device: str = "cpu"


@dataclass(frozen=True)
class Summary:
    """What a model card says about a training run; `device` names all that it was trained on, in
    order.
    """

    steps: int
    seed: int
    minutes: float
    device: str


def _average(averages: nn.Module, model: nn.Module, decay: float) -> None:
    with torch.no_grad():
        torch._foreach_lerp_(list(averages.parameters()), list(model.parameters()), 1 - decay)


def device_names(*used: str) -> str:
    """Names of the devices of a training, each once, in the order of their use."""
    return ", ".join(dict.fromkeys(name for names in used for name in names.split(", ") if name))


def _name(device: str) -> str:
    return torch.cuda.get_device_name(device) if device.startswith("cuda") else device


class Curve:
    """A tab-separated log of smoothed losses, one line per `log_every` steps and for the last; a
    resumed run continues it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.smooth: dict[str, float] = {}

    def add(self, losses: Losses) -> None:
        for name, value in losses.items():
            self.smooth[name] = 0.97 * self.smooth.get(name, value.item()) + 0.03 * value.item()

    def write(self, step: int, rate: float) -> None:
        new = not self.path.exists()
        with self.path.open("a") as file:
            if new:
                file.write("\t".join(["step", *self.smooth, "steps_per_second"]) + "\n")
            file.write(
                "\t".join([str(step), *(f"{v:.5f}" for v in self.smooth.values()), f"{rate:.3f}"])
                + "\n"
            )
        print(
            f"step {step}: "
            + ", ".join(f"{k} {v:.4f}" for k, v in self.smooth.items())
            + f", {rate:.2f} steps/s",
            flush=True,
        )


def fit(
    model: nn.Module,
    optimiser: MuonAdamW,
    loss: Callable[[int, torch.Generator], Losses],
    schedule: Schedule,
    folder: Path,
) -> tuple[nn.Module, Summary]:
    """Train `model` in place for `schedule.steps` steps, or go on from the checkpoint in `folder`.

    Model and optimiser are on the schedule's device already. `loss(step, generator)` must draw all
    its randomness from `generator` (seeded by seed and step), so that an interrupted run that
    resumes ends with the same weights as one that was not. Returns the averaged model (the model
    itself without EMA) and a summary; `folder` also gets `curve.tsv`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint, curve = folder / "checkpoint.safetensors", Curve(folder / "curve.tsv")
    averages = copy.deepcopy(model).requires_grad_(False) if schedule.ema else model
    factor, first, minutes, used = (
        warm_then_decay(schedule.steps, schedule.warm, schedule.decay_from),
        0,
        0.0,
        "",
    )
    if checkpoint.exists():
        state = load_checkpoint(checkpoint)
        model.load_state_dict(state["model"])
        if schedule.ema:
            averages.load_state_dict(state["averages"])
        optimiser.load_state_dict(state["optimiser"])
        first, minutes, used, curve.smooth = (
            state["step"],
            state["minutes"],
            state["device"],
            state["smooth"],
        )
        print(f"resumed {checkpoint.name} at step {first}", flush=True)
    if first < schedule.steps:
        used = device_names(used, _name(schedule.device))
    start = time.monotonic()

    def spent() -> float:
        return minutes + (time.monotonic() - start) / 60

    for step in range(first, schedule.steps):
        generator = torch.Generator().manual_seed(schedule.seed * 1_000_003 + step)
        optimiser.set_rate(factor(step))
        losses = loss(step, generator)
        losses["loss"].backward()
        optimiser.step(schedule.max_norm)
        curve.add(losses)
        if schedule.ema:
            _average(averages, model, min(schedule.ema, (1 + step) / (10 + step)))
        done = step + 1
        if done % schedule.log_every == 0 or done == schedule.steps:
            curve.write(done, (done - first) / (time.monotonic() - start))
        if done % schedule.save_every == 0 or done == schedule.steps:
            state = {
                "model": model.state_dict(),
                "averages": averages.state_dict() if schedule.ema else {},
                "optimiser": optimiser.state_dict(),
                "step": done,
                "minutes": spent(),
                "device": used,
                "smooth": curve.smooth,
            }
            save_checkpoint(checkpoint, state)
    summary = Summary(schedule.steps, schedule.seed, round(spent(), 1), used)
    (folder / "summary.json").write_text(json.dumps(asdict(summary), indent=1))
    return averages, summary
