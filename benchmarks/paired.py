"""Two ways of one thing, timed in turn."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

Way = Callable[[], object]


@dataclass(frozen=True)
class Ratio:
    """Medians over rounds, in seconds of the processor, and of the ratio of each round."""

    ours: float
    other: float
    ratio: float

    def row(self) -> dict[str, str]:
        return {
            "ours (s)": f"{self.ours:.3g}",
            "other (s)": f"{self.other:.3g}",
            "other / ours": f"{self.ratio:.2f}",
        }


def processor_seconds(way: Way) -> float:
    """Of this process, so that others on the machine do not count."""
    start = time.process_time()
    way()
    return time.process_time() - start


def paired(
    ours: Way, other: Way, rounds: int, seconds: Callable[[Way], float] = processor_seconds
) -> Ratio:
    """Both ways in turn, after a round that does not count."""
    seconds(ours), seconds(other)
    times = [(seconds(ours), seconds(other)) for _ in range(rounds)]
    mine, others = zip(*times, strict=True)
    ratios = [other / ours for ours, other in times]
    return Ratio(statistics.median(mine), statistics.median(others), statistics.median(ratios))
