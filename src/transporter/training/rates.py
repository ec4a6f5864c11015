"""Learning rates by step.

They are ours because the schedules of `torch` and `transformers` have other values: those of
`transformers` begin at zero, so that the first step is lost, and their cosine waits for the end of
the warm-up (`WarmCosine`) or ends at a share of itself (`CosineToFloor`). `torch` applies them
(`LambdaLR`).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass


class Rate(ABC):
    """What every learning rate of the optimisers is multiplied by, at each step.

    A rate is a frozen dataclass: its `repr` is what tells a run at one rate from one at another.
    """

    @abstractmethod
    def __call__(self, step: int, steps: int) -> float:
        """The factor at `step`, counted from 0, of `steps` in all."""


@dataclass(frozen=True)
class WarmThenDecay(Rate):
    """Up linearly for `warm` steps, constant, and down linearly to `floor` from the share
    `decay_from` of all steps, which is below 1.
    """

    warm: int = 100
    decay_from: float = 0.5
    floor: float = 0.02

    def __call__(self, step: int, steps: int) -> float:
        rest = (1 - step / steps) / (1 - self.decay_from)
        return min(1.0, (step + 1) / self.warm) * max(self.floor, min(1.0, rest))


@dataclass(frozen=True)
class WarmCosine(Rate):
    """A cosine from `peak` to zero over all steps, its first `warm_up` steps scaled up linearly."""

    peak: float
    warm_up: int

    def __call__(self, step: int, steps: int) -> float:
        decay = 0.5 * (1 + math.cos(math.pi * step / steps))
        return self.peak * min(1.0, (step + 1) / max(1, self.warm_up)) * decay


@dataclass(frozen=True)
class CosineToFloor(Rate):
    """Up linearly to `peak` for `warm_up` steps, then a cosine to zero that is cut off at
    `floor`.
    """

    peak: float
    warm_up: int
    floor: float

    def __call__(self, step: int, steps: int) -> float:
        if step < self.warm_up:
            return self.peak * (step + 1) / self.warm_up
        share = (step - self.warm_up) / max(1, steps - self.warm_up)
        return max(self.floor, self.peak * 0.5 * (1 + math.cos(math.pi * share)))
