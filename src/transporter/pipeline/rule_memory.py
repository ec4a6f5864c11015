"""The memory of a rule: the models that it uses, and what it holds beside them with so many clips
at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from torch import nn

from transporter.networks.live_memory import LiveMemory, fused_attention

Act = Callable[[int], Any]
"""What a rule does with so many clips at once."""


class Stage(NamedTuple):
    """Bytes that a part of a rule holds beside the weights."""

    first: int
    """With one clip at once."""
    further: int
    """That each further clip adds."""

    def beside(self, held: int) -> Stage:
        """The same while `held` bytes of each clip are held besides."""
        return Stage(self.first + held, self.further + held)


@dataclass(frozen=True)
class Rule:
    """What a rule holds on its device."""

    name: str
    weights: int
    """Bytes of the models that it uses, and of what is trained."""
    clips: int
    """At once."""
    stages: tuple[Stage, ...]
    """One after the other."""
    before: int = 0
    """Bytes at most while it encodes captions, before all else."""

    @property
    def peak(self) -> int:
        """The most bytes at once."""
        further = self.clips - 1
        most = max(stage.first + further * stage.further for stage in self.stages)
        return max(self.before, self.weights + most)

    def fitting(self, memory: int) -> int:
        """How many clips at once are within `memory` bytes; 0 where not even one is."""
        return min(self._fitting(stage, memory - self.weights) for stage in self.stages)

    def _fitting(self, stage: Stage, memory: int) -> int:
        room = memory - stage.first
        return 0 if room < 0 else min(self.clips, 1 + room // max(stage.further, 1))


def counted(act: Act, several: bool = True) -> Stage:
    """What an act holds, or of one clip alone."""
    first = peak(act, 1)
    return Stage(first, peak(act, 2) - first if several else 0)


def peak(act: Act, clips: int) -> int:
    """The most bytes that an act holds of what it makes."""
    with fused_attention(), LiveMemory() as memory:
        act(clips)
    return memory.peak


def weight_bytes(*networks: nn.Module) -> int:
    """Bytes of all weights and buffers."""
    tensors = (t for network in networks for t in (*network.parameters(), *network.buffers()))
    return sum(tensor.nbytes for tensor in tensors)
