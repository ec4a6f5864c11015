"""What every metric of generated videos offers, and how its numbers are told: never without their
direction and protocol.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import pandas as pd
import torchmetrics

from transporter.support.errors import Unavailable, UserError

HIGHER, LOWER = "higher", "lower"


@dataclass(frozen=True)
class Result:
    """One number and all that it depends on.

    >>> print(Result("fvd", 125.0, LOWER, {"clips": "512 + 512", "frames": 16}))
    fvd 125 (lower is better; clips 512 + 512, frames 16)
    """

    name: str
    value: float
    better: str
    """`higher` or `lower`."""
    protocol: Mapping[str, str | int]

    def __str__(self) -> str:
        return f"{self.name} {self.value:.6g} ({self.better} is better; {self._protocol()})"

    def row(self) -> dict[str, str | float]:
        """A row of a table: `metric`, `value`, `better`, `protocol`."""
        return {
            "metric": self.name,
            "value": self.value,
            "better": self.better,
            "protocol": self._protocol(),
        }

    def _protocol(self) -> str:
        return ", ".join(f"{key} {value}" for key, value in self.protocol.items())


class Metric(torchmetrics.Metric, ABC):
    """Numbers over a set of clips: `update` takes in some of them, `compute` gives the numbers by
    name.

    The order of clips and the size of batches do not matter. What the constructor needs and the
    machine lacks raises `Unavailable`.
    """

    numbers: ClassVar[Mapping[str, str]]
    """What it computes, each with the direction that is better, `HIGHER` or `LOWER`."""
    full_state_update = False

    @abstractmethod
    def compute(self) -> dict[str, float]:
        """Each of `numbers` that this machine can compute."""

    @abstractmethod
    def protocol(self) -> dict[str, str | int]:
        """What the numbers depend on, besides the clips' content."""

    def results(self) -> list[Result]:
        """What `compute` gives, told whole."""
        protocol = self.protocol()
        return [
            Result(name, value, self.numbers[name], protocol)
            for name, value in self.compute().items()
        ]


def make_metrics(
    makers: Mapping[str, Callable[[], Metric]], say: Callable[[str], None] = print
) -> dict[str, Metric]:
    """The metrics that this machine can compute; of each other one, `say` is told why not."""
    made = {}
    for name, maker in makers.items():
        try:
            made[name] = maker()
        except Unavailable as reason:
            say(f"{name} is left out: {reason}")
    return made


def results_table(metrics: Mapping[str, Metric]) -> pd.DataFrame:
    """One row per number: `metric`, `value`, `better`, `protocol`."""
    rows = [result.row() for metric in metrics.values() for result in metric.results()]
    return pd.DataFrame(rows, columns=["metric", "value", "better", "protocol"])


def check_video(who: str, shape: tuple[int, ...], size: tuple[int, ...] | None = None) -> None:
    """Accept clips `(B, T, 3, H, W)`, all of one `size` (T, 3, H, W) where it is given.

    Raises:
        UserError: another shape.
    """
    if len(shape) != 5 or shape[2] != 3 or 0 in shape:
        raise UserError(f"{who}: expected clips (B, T, 3, H, W) in [0, 1], got {tuple(shape)}")
    if size is not None and tuple(shape[1:]) != tuple(size):
        raise UserError(
            f"{who}: expected clips of {tuple(size)} like those before, got {tuple(shape[1:])};"
            " read all in one size"
        )
