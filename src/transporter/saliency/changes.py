"""Where vectors change pixels, over the seeds of each concept and over all concepts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from transporter.statistics.bootstrap import mean_intervals

COLUMNS = ("concept", "method", "seed", "share", "share_other")
ALL = "all"


def changes_table(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """One row for each concept and method, and for `all` concepts, whose intervals are resampled
    over concepts: the mean of `share`, of `share_other` and of what the first is `more` by.
    """
    every = pd.concat(tables, ignore_index=True)
    every["more"] = every["share"] - every["share_other"]
    rows = []
    for (concept, method), part in every.groupby(["concept", "method"], sort=False):
        rows.append({"concept": concept, "method": method, **_means(part, None)})
    for method, part in every.groupby("method", sort=False):
        rows.append({"concept": ALL, "method": method, **_means(part, part["concept"].tolist())})
    return pd.DataFrame(rows)


def _means(part: pd.DataFrame, groups: Sequence[str] | None) -> dict[str, float]:
    names = ("share", "share_other", "more")
    found = mean_intervals(np.stack([part[name] for name in names], 1), groups)
    row: dict[str, float] = {"clips": len(part)}
    for name, interval in zip(names, found, strict=True):
        row |= interval.row(name)
    return row
