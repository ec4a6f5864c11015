"""A model small enough to be trained within a test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from transporter.training.loop import Losses, train
from transporter.training.optimiser import muon_adamw
from transporter.training.schedule import Schedule, Summary

SCHEDULE = Schedule(40, seed=1, log_every=5, save_every=10, ema=0.9)
Train = Callable[..., tuple[nn.Module, Summary]]


@pytest.fixture
def train_small() -> Train:
    """Train a network with dropout in `folder`, some fields of the schedule changed; `stop_after`
    interrupts it at that step, `start` seeds its first weights.
    """

    def small(
        folder: Path,
        stop_after: int | None = None,
        start: int = 0,
        identity: Any = None,
        until: int | None = None,
        **changes: Any,
    ) -> tuple[nn.Module, Summary]:
        torch.manual_seed(start)
        model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Dropout(0.1), nn.Linear(8, 3))
        optimisers = muon_adamw(model.named_parameters(), muon_lr=0.01, adam_lr=3e-3)

        def loss(step: int, generator: torch.Generator) -> Losses:
            if step == stop_after:
                raise KeyboardInterrupt
            x = torch.randn(16, 4, generator=generator)
            error = (model(x) - x[:, :3]).square().mean()
            return {"loss": error, "first": x[0, 0]}

        schedule = replace(SCHEDULE, **changes)
        return train(model, optimisers, loss, schedule, folder, identity, until=until)

    return small
