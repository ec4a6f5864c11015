"""Shares of clips, with intervals that hold near 0 and 1."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.stats import beta, binomtest, t

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


def clustered_share(found: Sequence[float], counts: Sequence[float]) -> Interval:
    """The share of hits where clips of a group are alike, and the interval of Korn and Graubard
    (1998): that of Clopper and Pearson for as many clips as are worth the same drawn one by one.

    How alike they are shows in the spread of the groups' shares; where all or none are hits it does
    not show, and a group counts as one clip.

    Args:
        found: hits of each group (a caption, say).
        counts: its clips.

    >>> print(clustered_share([4, 4, 4, 4], [4, 4, 4, 4]))
    1 [0.398, 1]
    """
    hits, clips = np.asarray(found, dtype=float), np.asarray(counts, dtype=float)
    total, groups = clips.sum(), len(clips)
    if not total:
        return Interval(math.nan, math.nan, math.nan)
    share = float(hits.sum() / total)
    worth = _worth(hits, clips, share) if 0 < share < 1 and groups > 1 else groups
    least, most = share * worth, (1 - share) * worth
    tail = (1 - LEVEL) / 2
    low = beta.ppf(tail, least, most + 1) if least > 0 else 0.0
    high = beta.ppf(1 - tail, least + 1, most) if most > 0 else 1.0
    return Interval(share, float(low), float(high))


def mean_share(values: Sequence[float], groups: Sequence[object] | None = None) -> Interval:
    """The mean of values in [0, 1], those of one group (a caption, say) alike, and its interval as
    `clustered_share` has it; without groups each value is drawn by itself.

    >>> print(mean_share([1, 1, 1, 1], ["one", "one", "other", "other"]))
    1 [0.158, 1]
    """
    array = np.asarray(values, dtype=float)
    labels = np.arange(len(array)) if groups is None else np.asarray(groups, dtype=str)
    order = np.unique(labels, return_inverse=True)[1]
    return clustered_share(np.bincount(order, weights=array), np.bincount(order))


def _worth(hits: np.ndarray, clips: np.ndarray, share: float) -> float:
    """As many independent clips as have the variance of the groups' share."""
    total, groups = clips.sum(), len(clips)
    spread = groups / (groups - 1) * np.square(hits - share * clips).sum() / total**2
    if not spread:
        return float(total)
    tail = (1 + LEVEL) / 2
    few = (t.ppf(tail, total - 1) / t.ppf(tail, groups - 1)) ** 2  # the spread is an estimate too
    return float(min(total, share * (1 - share) / spread * few))
