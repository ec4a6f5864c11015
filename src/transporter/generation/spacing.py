"""Strengths at which a clip's answer has gone equal parts of its way, sought clip by clip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

START = (0.275, 0.725)
"""Where answers that rise are asked for first, beside the ends: in the middles of equal parts."""
RISE = 1.0
"""Nats by which log-odds must rise for strengths to be spaced by them."""
NEAR = 0.05
"""Share of the way within which a stop counts as reached."""
SLOPE = 0.05
"""Share of the way that is spread evenly over phi, so that strengths rise where the answer does
not.
"""


@dataclass
class Course:
    """The log-odds of one clip over the strengths tried so far.

    Attributes:
        log_odds: by strength, in nats.
        start: strengths between the ends that are tried first, such as those found for another
            change of the same caption; by default some within `START`.
    """

    log_odds: dict[float, float] = field(default_factory=dict)
    start: Sequence[float] = ()

    def wanted(self, stops: Sequence[float]) -> list[float]:
        """Strengths to try next, such that one may come closer to each of the `stops`, which are
        shares of the way from the log-odds at 0 to those at 1.

        The ends first. Where the answer then rises, `start`, and later those at which it should
        have gone so far, by straight lines between those tried; where it does not, the stops.
        """
        ends, between = _apart(stops)
        if not {0.0, 1.0} <= set(self.log_odds):
            return [one for one in ends if one not in self.log_odds]
        if not self.rises:
            return [one for one in between if one not in self.log_odds]
        phi, way = self._way()
        if len(phi) == len(ends):
            return list(self.start) or _middles(len(between))
        # a way back is waited for
        rising = (1 - SLOPE) * np.maximum.accumulate(way.clip(0, 1)) + SLOPE * phi.clip(0, 1)
        far = [stop for stop in between if np.abs(way - stop).min() > NEAR]
        found = dict.fromkeys(round(float(one), 3) for one in np.interp(far, rising, phi))
        return [one for one in found if one not in self.log_odds]

    def strengths(self, stops: Sequence[float]) -> list[float]:
        """A tried strength for each stop, rising: of those between the ends the ones that come
        closest; the stops themselves where the answer does not rise.
        """
        ends, between = _apart(stops)
        if not self.rises:
            return list(stops)
        phi, way = self._way()
        inside = [number for number, one in enumerate(phi) if one not in ends]
        chosen = _closest(way[inside], between)
        return sorted([*ends, *(float(phi[inside[number]]) for number in chosen)])

    @property
    def rises(self) -> bool:
        """Whether the answer goes so far towards the target word that it can be followed."""
        return self.log_odds[1.0] - self.log_odds[0.0] > RISE

    def _way(self) -> tuple[np.ndarray, np.ndarray]:
        """Strengths in rising order, and the share of the way behind at each."""
        phi = np.array(sorted(self.log_odds))
        odds = np.array([self.log_odds[one] for one in phi.tolist()])
        first, last = self.log_odds[0.0], self.log_odds[1.0]
        return phi, (odds - first) / (last - first)


def _middles(count: int) -> list[float]:
    """Of so many equal parts of `START`."""
    low, high = START
    parts = (np.arange(count) + 0.5) / max(1, count)
    return [round(float(one), 3) for one in low + (high - low) * parts]


def _apart(stops: Sequence[float]) -> tuple[list[float], list[float]]:
    """The stops that are strengths, whatever the answer: the ends and what lies outside; and those
    between the ends.
    """
    between = [float(stop) for stop in stops if 0 < stop < 1]
    return [float(stop) for stop in stops if not 0 < stop < 1], between


def _closest(way: np.ndarray, stops: Sequence[float]) -> list[int]:
    """Rising numbers of `way`, one for each stop, with the least sum of squared distances."""
    # (K, S): least sum for the stops up to each, the last of which has a number up to each
    apart = (way[:, None] - np.asarray(stops)) ** 2
    best: list[tuple[float, list[int]]] = [(0.0, [])] * (len(way) + 1)
    for stop in range(len(stops)):
        now: list[tuple[float, list[int]]] = [(float("inf"), [])]
        for number in range(len(way)):
            total, before = best[number]
            here = (total + apart[number, stop], [*before, number])
            now.append(min(now[-1], here, key=lambda one: one[0]))
        best = now
    return best[-1][1]
