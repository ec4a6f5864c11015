"""Readings of all seeds, summed up per concept and method; no model is read, and torch is not
needed.
"""

from __future__ import annotations

import pandas as pd
from scipy.stats import spearmanr

SUMMARY = (
    "concept",
    "kind",
    "generator",
    "vlm",
    "method",
    "seeds",
    "spearman",
    "hit_rate",
    "others_kept",
)


def summarise(readings: pd.DataFrame) -> pd.DataFrame:
    """One row per concept, generator, VLM and method (columns of `SUMMARY`).

    `spearman`: of phi and the mean log-odds over seeds; `hit_rate`: share of seeds whose clip at
    the largest phi the probes call by the target word rather than the source; `others_kept`: mean
    of `kept` at the largest phi. Empty without probes, and where they do not know the words.
    """
    keys = ["concept", "kind", "generator", "vlm", "method"]
    rows = [
        dict(zip(keys, names, strict=True)) | _summary(group)
        for names, group in readings.groupby(keys, sort=False)
    ]
    return pd.DataFrame(rows, columns=list(SUMMARY))


def _summary(group: pd.DataFrame) -> dict[str, float | int]:
    curve = group.groupby("phi")["log_odds"].mean()
    last = group[group["phi"] == group["phi"].max()]
    constant = curve.nunique() < 2
    empty = pd.Series(float("nan"), last.index)
    target, source, others = (last.get(name, empty) for name in ("p_target", "p_source", "kept"))
    # a clip that nobody measured is no miss
    measured = target.notna() & source.notna()
    return {
        "seeds": int(group["seed"].nunique()),
        "spearman": 0.0 if constant else float(spearmanr(curve.index, curve.to_numpy()).statistic),
        "hit_rate": float((target > source)[measured].mean()),
        "others_kept": float(others.mean()),
    }
