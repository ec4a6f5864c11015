"""One resumable training loop: Phi, inversions and the microworld's models.

Who trains says what is minimised, by which optimisers and at which rate, and what is logged beside
it. The loop owns the rest: the step, the randomness, the average of the weights, the curve, the
checkpoint and whose it is, and where to go on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR
from torch.optim.swa_utils import AveragedModel

from transporter.support.checkpoint import Pace, fingerprint, load_own_checkpoint, save_checkpoint
from transporter.support.hashes import digest
from transporter.training.curve import Curve
from transporter.training.processes import ALONE, Processes
from transporter.training.schedule import Schedule, Summary, listed

CHECKPOINT, CURVE = "checkpoint.safetensors", "curve.tsv"
"""What the folder of a training holds."""

Losses = Mapping[str, torch.Tensor]
"""Named scalar terms of one step; the one named `loss` is minimised, all are logged."""
Loss = Callable[[int, torch.Generator], Losses]
"""Of a step, counted from 0, and a generator on the CPU, which is seeded by the run's seed and the
step; so is torch's global one.
"""
Draw = Callable[[torch.Generator], object]
"""Draws from the generator what a loss would draw."""


def train(
    model: nn.Module,
    optimisers: Sequence[torch.optim.Optimizer],
    loss: Loss,
    schedule: Schedule,
    folder: Path,
    identity: Any = None,
    measure: Callable[[], Mapping[str, float]] | None = None,
    until: int | None = None,
    processes: Processes = ALONE,
    passed_over: Draw | None = None,
) -> tuple[nn.Module, Summary]:
    """Train `model` in place, or go on from the checkpoint in `folder`: an interrupted run ends
    with the same weights as one that was not.

    Args:
        model: with the weights to start from, on the schedule's device.
        optimisers: of its weights; their learning rates are multiplied by the schedule's rate.
        loss: draws all its randomness from the generator that it is given, or from torch's global
            one.
        schedule: how long, and how often to write.
        folder: gets `checkpoint.safetensors` and `curve.tsv`.
        identity: the settings and data that `loss` depends on, values that JSON can hold. A
            checkpoint of others, of another schedule or of other weights to start from is not
            resumed.
        measure: what a row of the curve has beside the losses.
        until: stop after this many steps in all, with a checkpoint, as an interrupted run would.
        processes: this one among several that train the model together; the first alone writes.
            Their number is no part of the identity: a run may go on with another.
        passed_over: for a loss that another process computes; several processes need it.

    Returns:
        The averaged model, which is `model` itself without an average, and a summary.

    Raises:
        UserError: the checkpoint is damaged, or the file is none.
    """
    own = digest(identity, schedule.identity, _weights(model))
    run = _Run(model, optimisers, schedule, folder, own, processes)
    run.take_up()
    with own_randomness(schedule.device):
        run.go_on(loss, passed_over, measure or dict, min(schedule.steps, until or schedule.steps))
    summary = Summary(schedule.steps, schedule.seed, round(run.minutes, 1), run.devices)
    return run.averages.module if run.averages else model, summary


@contextmanager
def own_randomness(device: torch.device | str) -> Iterator[None]:
    """Leave the global generators, of the CPU and of `device`, as they were."""
    with torch.random.fork_rng([device] if _is_cuda(device) else []):
        yield


class _Run:
    """All that changes in a training, and its checkpoint."""

    def __init__(
        self,
        model: nn.Module,
        optimisers: Sequence[torch.optim.Optimizer],
        schedule: Schedule,
        folder: Path,
        identity: str,
        processes: Processes,
    ) -> None:
        self.processes = processes
        self.model, self.optimisers, self.schedule = model, optimisers, schedule
        self.checkpoint, self.identity = folder / CHECKPOINT, identity
        self.curve = Curve(folder / CURVE, schedule.fresh)
        self.averages = _averages(model, schedule.ema) if schedule.ema else None
        self.step, self.minutes, self.devices = 0, 0.0, ""

    def take_up(self) -> None:
        """Load the checkpoint if it is there and of this very run."""
        state = load_own_checkpoint(self.checkpoint, self.identity)
        if state is None:
            return
        self.model.load_state_dict(state["model"])
        for optimiser, own in zip(self.optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(own)
        if self.averages:
            self.averages.load_state_dict(state["averages"])
        if self.processes.leads:
            self.curve.load_state_dict(state["curve"])
        self.step, self.minutes, self.devices = state["step"], state["minutes"], state["devices"]

    def save(self) -> None:
        state = {
            "identity": self.identity,
            "step": self.step,
            "minutes": self.minutes,
            "devices": self.devices,
            "model": self.model.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
            "averages": self.averages.state_dict() if self.averages else {},
            "curve": self.curve.state_dict(),
        }
        save_checkpoint(self.checkpoint, state)

    def go_on(
        self,
        loss: Loss,
        passed_over: Draw | None,
        measure: Callable[[], Mapping[str, float]],
        last: int,
    ) -> None:
        """Train up to the step `last`; nothing happens where it is reached already."""
        schedule, first, start, before = self.schedule, self.step, time.monotonic(), self.minutes
        if first >= last:
            return
        count, name = self.processes.count, _name(schedule.device)
        used = name if count == 1 else f"{count} x {name}"
        self.devices = listed([*self.devices.split(", "), used])
        rates = [self._rate(optimiser) for optimiser in self.optimisers]
        pace = Pace(schedule.checkpoint_every)
        while self.step < last:
            losses = self._update(loss, passed_over)
            for rate in rates:
                rate.step()
            if self.averages:
                self.averages.update_parameters(self.model)
            self.step += 1
            if not self.processes.leads:
                continue
            self.curve.add(losses)
            seconds = time.monotonic() - start
            if self.step % schedule.log_every == 0 or self.step == schedule.steps:
                self.curve.write(self.step, measure(), (self.step - first) / seconds)
            if pace.due(self.step) or self.step == last:
                self.minutes = before + seconds / 60
                with pace.writing():
                    self.save()

    def _rate(self, optimiser: torch.optim.Optimizer) -> LambdaLR:
        rate, steps = self.schedule.rate, self.schedule.steps
        return LambdaLR(optimiser, lambda step: rate(step, steps), last_epoch=self.step - 1)

    def _update(self, loss: Loss, passed_over: Draw | None) -> Losses:
        """One step of the optimisers; the mean of every term over the accumulated losses."""
        schedule, seed = self.schedule, self.schedule.seed * 1_000_003 + self.step
        generator = torch.Generator().manual_seed(seed)
        torch.manual_seed(seed)  # dropout draws from the global generator
        means: dict[str, torch.Tensor] = {}
        for number in range(schedule.accumulate):
            if not self.processes.makes(number):
                passed_over(generator)
                continue
            self.processes.seed_pass(seed, number)
            losses = loss(self.step, generator)
            (losses["loss"] / schedule.accumulate).backward()
            for name, value in losses.items():
                means[name] = means.get(name, 0.0) + value.detach() / schedule.accumulate
        self.processes.add_up(self.model, means)
        if schedule.max_norm is not None:
            nn.utils.clip_grad_norm_(self.model.parameters(), schedule.max_norm)
        for optimiser in self.optimisers:
            optimiser.step()
        self.model.zero_grad(set_to_none=True)
        return means


def _averages(model: nn.Module, memory: float) -> AveragedModel:
    """The average of the weights, its memory shorter in the first steps, which forget the weights
    to start from.
    """

    @torch.no_grad()
    def average(
        averages: list[torch.Tensor], weights: list[torch.Tensor], count: torch.Tensor
    ) -> None:
        decay = min(memory, int(count) / (9 + int(count)))
        torch._foreach_lerp_(averages, weights, 1 - decay)

    averages = AveragedModel(model, multi_avg_fn=average).requires_grad_(False)
    averages.n_averaged.fill_(1)  # the weights to start from; else torch would forget them
    return averages


def _weights(model: nn.Module) -> list[Any]:
    """Name and bytes of every weight, and whether it is trained."""
    return [
        (name, weight.requires_grad, fingerprint(weight))
        for name, weight in model.named_parameters()
    ]


def _is_cuda(device: torch.device | str) -> bool:
    return torch.device(device).type == "cuda"


def _name(device: str) -> str:
    return torch.cuda.get_device_name(device) if _is_cuda(device) else device
