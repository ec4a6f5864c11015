"""Shares of clips, with intervals that hold near 0 and 1."""

from __future__ import annotations

import math
from collections.abc import Sequence

from scipy.stats import binomtest

from transporter.statistics.bootstrap import LEVEL, Interval


def share(hits: Sequence[bool | float]) -> Interval:
    """The share of hits, and the exact interval of Clopper and Pearson (1934); NaN of none.

    >>> print(share([True] * 8))
    1 [0.631, 1]
    """
    count = len(hits)
    if not count:
        return Interval(math.nan, math.nan, math.nan)
    found = round(float(sum(hits)))
    interval = binomtest(found, count).proportion_ci(LEVEL, "exact")
    return Interval(found / count, float(interval.low), float(interval.high))
