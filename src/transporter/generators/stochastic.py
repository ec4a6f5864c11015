"""Schedulers that put new noise in at every step, as `FlowMatchEulerDiscreteScheduler` does with
`stochastic_sampling`: each clip's from its own seed, whatever else is in the batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from typing import Any

import numpy as np
import torch


@contextmanager
def seeded_steps(scheduler: Any, seeds: Sequence[int]) -> Iterator[None]:
    """While open, every row of a seed gets the same noise at the same step of one sampling: the
    slider's clips differ by phi alone. Schedulers that add none stay as they are.

    Args:
        scheduler: of a pipeline of `diffusers`.
        seeds: of the batch, one for each row or for each of as many neighbouring rows.
    """
    if not scheduler.config.get("stochastic_sampling"):
        yield
        return
    step, steps = scheduler.step, count()

    def seeded(prediction: torch.Tensor, *others: Any, **named: Any) -> Any:
        index, copies = next(steps), len(prediction) // len(seeds)
        rows = [seed for seed in seeds for _ in range(copies)]
        noise = [torch.Generator().manual_seed(_mixed(seed, index)) for seed in rows]
        return step(prediction, *others, **named, generator=noise)

    scheduler.step = seeded
    try:
        yield
    finally:
        del scheduler.step


def _mixed(seed: int, step: int) -> int:
    """Another seed for each step; neighbouring seeds have nothing in common. Seeds below 0 are
    torch's: of 64 bits.
    """
    mixed = np.random.SeedSequence([seed % 2**64, step])
    return int(mixed.generate_state(1, np.uint64)[0])
