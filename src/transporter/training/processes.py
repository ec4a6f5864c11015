"""Several processes that train one model together, each on its share of a step's losses.

A step is `accumulate` forward passes, whose gradients are added up. Each process has the whole
model and makes some of the passes; the sums of all are added up across processes, so that all make
the same step. Batches and noise are drawn for every pass by every process, from the same generator,
so a pass is the one that a single process would make.

What is left to differ from a single process is the order in which gradients are added, which two
processes with one pass each do not change, and dropout: torch's global generator, which goes on
from pass to pass in a single process, is seeded anew for each pass here.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import torch
import torch.distributed
from torch import nn


@dataclass(frozen=True)
class Processes:
    """This process among those of the default group of `torch.distributed`, which must be there if
    there are several.
    """

    rank: int = 0
    count: int = 1

    @property
    def leads(self) -> bool:
        """Whether it is the one that writes."""
        return self.rank == 0

    def makes(self, number: int) -> bool:
        """Whether a pass of a step, counted from 0, is its own."""
        return number % self.count == self.rank

    def seed_pass(self, seed: int, number: int) -> None:
        """Seed the global generator for a pass, if there are several processes."""
        if self.count > 1:
            torch.manual_seed(random.Random(f"{seed} {number}").getrandbits(63))

    def add_up(self, model: nn.Module, means: dict[str, torch.Tensor]) -> None:
        """Make gradients, and scalar terms of the loss, the sums of those of all processes; at
        once, so for a moment there is a copy of the gradients.
        """
        if self.count == 1:
            return
        grads = [weight.grad for weight in model.parameters() if weight.grad is not None]
        addends = [*grads, *means.values()]
        total = torch.cat([addend.flatten() for addend in addends])
        torch.distributed.all_reduce(total)
        sums = total.split([addend.numel() for addend in addends])
        for grad, part in zip(grads, sums, strict=False):
            grad.copy_(part.view_as(grad))
        for name, part in zip(means, sums[len(grads) :], strict=True):
            means[name] = part.squeeze()


ALONE = Processes()
"""A single process, which makes all passes."""
