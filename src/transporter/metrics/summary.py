"""Readings of all seeds, summed up per concept and method, and per length of the captions; no model
is read, and torch is not needed.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from transporter.generation.captions import strata_of
from transporter.metrics.evenness import COLUMNS, evenness
from transporter.statistics.proportions import share

MODELS = ["generator", "vlm"]
SUMMARY = (
    "concept",
    "kind",
    "generator",
    "vlm",
    "method",
    "seeds",
    "spearman",
    "effect",
    *COLUMNS,
    "rising",
    "hit_rate",
    "hit_rate_low",
    "hit_rate_high",
    "others_kept",
    "faults_ends",
    "faults_between",
)
COUPLED = ("concept", "generator", "vlm", "log_odds", "log_odds_phi", "caption_phi")
"""Columns of readings in which Phi was asked too, beside `caption_reencoded`."""
STRATA = (
    "generator",
    "vlm",
    "method",
    "captions",
    "clips",
    "hit_rate",
    "hit_rate_low",
    "hit_rate_high",
    "answer_rate",
    "answer_rate_low",
    "answer_rate_high",
    "others_kept",
    "worst_concept",
    "worst_hit_rate",
)


def summarise(readings: pd.DataFrame) -> pd.DataFrame:
    """One row per concept, generator, VLM and method (columns of `SUMMARY`).

    `spearman`: of the stops and the mean log-odds over seeds; `effect`: how far these move from the
    first stop to the last, in nats; `largest_step`, `variation`, `middle` and `saturated`: how
    evenly they move in single clips (`evenness`); `rising`: share of seeds whose log-odds rise at
    every step; `hit_rate`: share of seeds whose clip at the largest phi the probes call by the
    target word, among all words of the attribute, with its exact 95 % interval; `others_kept`: mean
    of `kept` at the largest phi; `faults_ends`, `faults_between`: share of clips at the first stop
    and the last, and at those between, that have a fault. Empty without probes, and where they do
    not know the words or see no faults.
    """
    keys = ["concept", "kind", *MODELS, "method"]
    rows = [
        dict(zip(keys, names, strict=True)) | _summary(group)
        for names, group in readings.groupby(keys, sort=False)
    ]
    return pd.DataFrame(rows, columns=list(SUMMARY))


def _summary(group: pd.DataFrame) -> dict[str, float | int]:
    curve = group.groupby("stop")["log_odds"].mean()
    constant = curve.nunique() < 2
    clips = group.pivot_table("log_odds", "seed", "stop").to_numpy()  # (seeds, stops)
    last = group[group["phi"] == group["phi"].max()]
    at_end = group["stop"].isin([curve.index[0], curve.index[-1]])
    return {
        "seeds": int(group["seed"].nunique()),
        "spearman": 0.0 if constant else float(spearmanr(curve.index, curve.to_numpy()).statistic),
        "effect": float(curve.iloc[-1] - curve.iloc[0]),
        **evenness(clips),
        "rising": float((np.diff(clips, axis=1) > 0).all(axis=1).mean()),
        **share(_hits(last)).row("hit_rate"),
        "others_kept": float(_column(last, "kept").mean()),
        "faults_ends": _faulty(group[at_end]),
        "faults_between": _faulty(group[~at_end]),
    }


def _faulty(clips: pd.DataFrame) -> float:
    """A clip in which nobody looked for faults is none without."""
    faults = _column(clips, "faults").dropna()
    return float((faults != "none").mean()) if len(faults) else float("nan")


def _column(table: pd.DataFrame, name: str) -> pd.Series:
    return table.get(name, pd.Series(float("nan"), table.index))


def _hits(table: pd.DataFrame) -> list[float]:
    """A clip that nobody measured is no miss."""
    return _column(table, "hit").dropna().tolist()


def through_phi(readings: pd.DataFrame) -> pd.DataFrame:
    """How the VLM reads clips through Phi, beside the same clips decoded and encoded again: one row
    per generator, VLM and concept, and one for all.

    `clips`: how many; `same_answer`: share whose likelier word is the same, with its exact 95 %
    interval; `same_caption`: share that are described in the same words; `difference`: of the
    log-odds, mean of absolute values in nats, and `difference_high`, that of the worst clip.
    """
    rows = []
    for names, group in readings.groupby(MODELS, sort=False):
        parts = [*group.groupby("concept", sort=False), ("all", group)]
        keys = dict(zip(MODELS, names, strict=True))
        rows += [keys | {"concept": concept} | _agreement(part) for concept, part in parts]
    return pd.DataFrame(rows)


def _agreement(clips: pd.DataFrame) -> dict[str, float | int]:
    both = clips[["log_odds", "log_odds_phi"]].to_numpy(dtype=float)
    same = (both[:, 0] > 0) == (both[:, 1] > 0)
    differences = np.abs(both[:, 0] - both[:, 1])
    return {
        "clips": len(clips),
        **share(same.tolist()).row("same_answer"),
        "same_caption": float((clips["caption_phi"] == clips["caption_reencoded"]).mean()),
        "difference": float(differences.mean()),
        "difference_high": float(differences.max()),
    }


def by_length(readings: pd.DataFrame) -> pd.DataFrame:
    """How the clips at the largest phi end, for short, middle and long captions and for all
    (columns of `STRATA`): one row per generator, VLM, method and third of the captions by their
    number of words, `captions` as `4 to 9 words`.

    `hit_rate` as in `summarise`; `answer_rate`: share of clips that the VLM answers by the target
    word, both with exact 95 % intervals; `worst_concept`: the concept with the lowest hit rate
    there, and that rate.
    """
    last = readings[readings["phi"] == readings["phi"].max()]
    words = last["caption"].str.split().str.len()
    parts = np.array(strata_of(last["caption"].tolist()))
    rows = []
    for part in [*sorted(set(parts)), None]:
        inside = last if part is None else last[parts == part]
        length = "all" if part is None else _length(words[parts == part])
        for names, group in inside.groupby([*MODELS, "method"], sort=False):
            keys = dict(zip([*MODELS, "method"], names, strict=True))
            rows.append(keys | _stratum(length, group))
    return pd.DataFrame(rows, columns=list(STRATA))


def _length(words: pd.Series) -> str:
    low, high = words.min(), words.max()
    return f"{low} words" if low == high else f"{low} to {high} words"


def _stratum(length: str, clips: pd.DataFrame) -> dict[str, float | int | str | None]:
    rates = {name: share(_hits(group)).value for name, group in clips.groupby("concept")}
    known = pd.Series(rates, dtype=float).dropna()
    worst = known.idxmin() if len(known) else None
    return {
        "captions": length,
        "clips": len(clips),
        **share(_hits(clips)).row("hit_rate"),
        **share((clips["log_odds"] > 0).tolist()).row("answer_rate"),
        "others_kept": float(_column(clips, "kept").mean()),
        "worst_concept": worst,
        "worst_hit_rate": float("nan") if worst is None else known[worst],
    }
