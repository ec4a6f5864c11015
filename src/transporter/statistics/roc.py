"""How well a number tells two groups apart: the area under the receiver operating curve."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.optimize import brentq
from scipy.stats import norm, rankdata

from transporter.statistics.bootstrap import LEVEL, Interval


def auroc(low: Sequence[float], high: Sequence[float]) -> Interval:
    """The probability that a value of the group `low` lies below one of `high`, ties counting half,
    and its interval; NaN where a group is empty.

    The interval is method 5 of Newcombe (2006), which holds at 1: all areas that are no further
    from the one found than a normal deviate of the standard error of Hanley and McNeil (1982) at
    them, with equal groups of their mean size.

    >>> print(auroc([1, 2, 3], [2.5, 4, 5]))
    0.889 [0.401, 0.988]
    """
    first, second = len(low), len(high)
    if not first or not second:
        return Interval(math.nan, math.nan, math.nan)
    ranks = rankdata([*low, *high])[first:]
    area = float((ranks.sum() - second * (second + 1) / 2) / (first * second))
    deviate = norm.ppf((1 + LEVEL) / 2)

    def beyond(sign: int) -> float:
        """The area that the found one is so many standard errors above (1) or below (-1)."""

        def excess(other: float) -> float:
            return sign * (area - other) - deviate * _error(other, first, second)

        end = float(sign < 0)
        # at 0 and 1 the found area is a root itself, with no error
        return area if area == end else float(brentq(excess, end, area - sign * 1e-9))

    return Interval(area, beyond(1), beyond(-1))


def _error(area: float, first: int, second: int) -> float:
    mean = (first + second) / 2 - 1
    spread = 1 + mean * ((1 - area) / (2 - area) + area / (1 + area))
    return float(np.sqrt(area * (1 - area) * spread / (first * second)))
