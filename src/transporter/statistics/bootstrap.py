"""Confidence intervals of numbers that are compared: the percentile bootstrap (Efron 1979) over
clips, captions or seeds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from transporter.support.errors import UserError

LEVEL, DRAWS = 0.95, 1000
KEPT = 2_000_000
"""Indices of rows that are kept for the next interval over the same rows."""


@dataclass(frozen=True)
class Interval:
    """A number and the interval that holds the share `LEVEL` of its values over resampled data.

    >>> print(Interval(0.5, 0.41, 0.6))
    0.5 [0.41, 0.6]
    """

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3g} [{self.low:.3g}, {self.high:.3g}]"

    def row(self, name: str) -> dict[str, float]:
        """Columns of a table: `name`, `name_low`, `name_high`."""
        return {name: self.value, f"{name}_low": self.low, f"{name}_high": self.high}


def bootstrap(
    statistic: Callable[[np.ndarray], float],
    groups: int | Sequence[object],
    seed: int = 0,
    draws: int = DRAWS,
    level: float = LEVEL,
    centred_in: tuple[float, float] | None = None,
) -> Interval:
    """The statistic of all rows, and its percentile interval over resampled groups of rows.

    Args:
        statistic: indices of rows `(k,)`, some of them doubled, to a number.
        groups: how many rows, if each is drawn by itself; else one label per row: rows with the
            same one (clips of one caption, say) are drawn together, as they are not independent.
        centred_in: range of a distance between sets, which rows that repeat push to one side: the
            interval is moved so that resampled values lie around the statistic, as far as its range
            goes. It tells what other rows would give, if they were as many, not what more would.

    Raises:
        UserError: no rows.
    """
    labels = _labels(groups)
    values = [statistic(rows) for rows in _resamples(labels, seed, draws)]
    tail = 50 * (1 - level)
    # a statistic may have no value on some draws, such as a correlation of one row
    low, high = np.nanpercentile(values, (tail, 100 - tail))
    value = float(statistic(np.arange(len(labels))))
    if centred_in:
        aside = value - np.nanmean(values)
        low, high = np.clip([low + aside, high + aside], *centred_in)
    return Interval(value, float(low), float(high))


def _labels(groups: int | Sequence[object]) -> np.ndarray:
    """The number of each row's group `(n,)`."""
    if isinstance(groups, int):
        labels = np.arange(groups)
    else:
        labels = np.unique(np.asarray(groups, dtype=str), return_inverse=True)[1]
    if not len(labels):
        raise UserError("bootstrap: expected at least one row, got none")
    return labels.astype(np.int64)


def _members(labels: np.ndarray) -> list[np.ndarray]:
    """The rows of each group, by its number."""
    order = np.argsort(labels, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(labels[order])) + 1)


def _resamples(labels: np.ndarray, seed: int, draws: int) -> Iterable[np.ndarray]:
    """Rows of as many groups as there are, drawn with replacement, `draws` times."""
    if len(labels) * draws > KEPT:
        return _drawn(labels, seed, draws)
    return _kept(labels.tobytes(), seed, draws)


def _drawn(labels: np.ndarray, seed: int, draws: int) -> Iterator[np.ndarray]:
    members, rng = _members(labels), np.random.default_rng(seed)
    for _ in range(draws):
        sample = rng.integers(len(members), size=len(members))
        rows = np.concatenate([members[group] for group in sample])
        rows.flags.writeable = False
        yield rows


@lru_cache(maxsize=2)
def _kept(labels: bytes, seed: int, draws: int) -> tuple[np.ndarray, ...]:
    """A table has many intervals over the same rows."""
    return tuple(_drawn(np.frombuffer(labels, dtype=np.int64), seed, draws))


def mean_interval(
    values: Sequence[float], groups: Sequence[object] | None = None, seed: int = 0
) -> Interval:
    """The mean and its interval.

    >>> print(mean_interval([1.0, 1.0, 1.0]))
    1 [1, 1]
    """
    array = np.asarray(values, dtype=float)
    return bootstrap(
        lambda rows: float(array[rows].mean()), len(array) if groups is None else groups, seed
    )


def mean_intervals(
    values: np.ndarray, groups: Sequence[object] | None = None, seed: int = 0
) -> list[Interval]:
    """The mean of every column of `values` `(n, k)` and its interval, as `mean_interval` has them,
    all columns over the same resampled rows.
    """
    counts = _counts(_labels(len(values) if groups is None else groups), seed)
    means = counts @ values / counts.sum(1, keepdims=True)
    tail = 50 * (1 - LEVEL)
    low, high = np.percentile(means, (tail, 100 - tail), axis=0)
    columns = zip(values.mean(0), low, high, strict=True)
    return [Interval(*map(float, column)) for column in columns]


def _counts(labels: np.ndarray, seed: int) -> np.ndarray:
    """How often each row is drawn, `(draws, n)`."""
    if len(labels) * DRAWS > KEPT:
        return _counted(labels, seed)
    return _kept_counts(labels.tobytes(), seed)


def _counted(labels: np.ndarray, seed: int) -> np.ndarray:
    rng, size = np.random.default_rng(seed), int(labels.max()) + 1
    drawn = [rng.integers(size, size=size) for _ in range(DRAWS)]
    counts = np.stack([np.bincount(sample, minlength=size) for sample in drawn])[:, labels]
    counts.flags.writeable = False
    return counts


@lru_cache(maxsize=4)
def _kept_counts(labels: bytes, seed: int) -> np.ndarray:
    """A table has many means over the same rows."""
    return _counted(np.frombuffer(labels, dtype=np.int64), seed)


def mean_difference(
    values: Sequence[float], others: Sequence[float], groups: Sequence[object] | None = None
) -> Interval:
    """How much larger the mean of `values` is than that of `others`, row by row about the same
    clips.

    Raises:
        UserError: not as many of both.
    """
    if len(values) != len(others):
        raise UserError(
            f"difference: expected two numbers per row, got {len(values)} and {len(others)}"
        )
    return mean_interval(np.subtract(values, others), groups)
