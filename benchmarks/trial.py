"""What the trials of training recipes share: the same processor time for every variant, and an
optimiser to compare with.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterable, Sequence

import torch
from torch import nn

from transporter.training.rates import WarmThenDecay

WARM_UP = 3
"""First steps, which compile and find their memory, and whose time does not count."""
TICKS = 1000
"""Parts that the time is cut into for the learning rate's schedule."""


def adamw_alone(
    weights: Iterable[nn.Parameter], rate: float, weight_decay: float = 0.0
) -> tuple[torch.optim.AdamW]:
    """AdamW for every weight, to compare the recipes' two optimisers with."""
    adamw = torch.optim.AdamW(weights, lr=rate, betas=(0.9, 0.98), weight_decay=weight_decay)
    return (adamw,)


def train_for(
    seconds: float,
    model: nn.Module,
    optimisers: Sequence[torch.optim.Optimizer],
    loss: Callable[[int, float], torch.Tensor],
    average: float = 0.0,
) -> tuple[nn.Module, int]:
    """Train `model` for `seconds` of processor time by
    `loss(step, share of the time that is over)`.

    Returns its weights averaged with the memory `average` (0: the last ones), and the steps done.
    """
    averaged, rate = copy.deepcopy(model), WarmThenDecay(decay_from=0.4)
    rates = [[group["lr"] for group in optimiser.param_groups] for optimiser in optimisers]
    start, step, share = 0.0, 0, 0.0
    while share < 1:
        loss(step, share).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimiser, own in zip(optimisers, rates, strict=True):
            for group, base in zip(optimiser.param_groups, own, strict=True):
                group["lr"] = base * rate(round(share * TICKS), TICKS)
            optimiser.step()
        model.zero_grad()
        with torch.no_grad():
            for slow, fast in zip(averaged.parameters(), model.parameters(), strict=True):
                slow.lerp_(fast, 1 - min(average, (1 + step) / (10 + step)))
        step += 1
        start = time.process_time() if step <= WARM_UP else start
        share = (time.process_time() - start) / seconds
    return averaged, step
