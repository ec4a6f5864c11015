"""What the trials of training recipes share: the same processor time for every variant, and an
optimiser to compare with.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterable

import torch
from torch import nn

from transporter.training.optimiser import MuonAdamW, warm_then_decay

WARM_UP = 3
"""First steps, which compile and find their memory, and whose time does not count."""
TICKS = 1000
"""Parts that the time is cut into for the learning rate's schedule."""


class AdamWAlone(torch.optim.AdamW):
    """AdamW for every weight, called as the recipes' optimiser is."""

    def __init__(
        self, weights: Iterable[nn.Parameter], rate: float, weight_decay: float = 0.0
    ) -> None:
        super().__init__(weights, lr=rate, betas=(0.9, 0.98), weight_decay=weight_decay)
        self.rate = rate

    def set_rate(self, factor: float) -> None:
        for group in self.param_groups:
            group["lr"] = self.rate * factor

    def step(self) -> None:
        for group in self.param_groups:
            torch.nn.utils.clip_grad_norm_(group["params"], 1.0)
        super().step()
        self.zero_grad()


def train_for(
    seconds: float,
    model: nn.Module,
    optimiser: MuonAdamW | AdamWAlone,
    loss: Callable[[int, float], torch.Tensor],
    average: float = 0.0,
) -> tuple[nn.Module, int]:
    """Train `model` for `seconds` of processor time by
    `loss(step, share of the time that is over)`.

    Returns its weights averaged with the memory `average` (0: the last ones), and the steps done.
    """
    averaged, factor = copy.deepcopy(model), warm_then_decay(TICKS, decay_from=0.4)
    start, step, share = 0.0, 0, 0.0
    while share < 1:
        loss(step, share).backward()
        optimiser.set_rate(factor(round(share * TICKS)))
        optimiser.step()
        with torch.no_grad():
            for slow, fast in zip(averaged.parameters(), model.parameters(), strict=True):
                slow.lerp_(fast, 1 - min(average, (1 + step) / (10 + step)))
        step += 1
        start = time.process_time() if step <= WARM_UP else start
        share = (time.process_time() - start) / seconds
    return averaged, step
