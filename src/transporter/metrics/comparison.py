"""Is one method better than the others? Every number with its interval, and the difference on the
same concepts and seeds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch

from transporter.metrics.embeddings import compare
from transporter.metrics.frechet import frechet_distance
from transporter.statistics.bootstrap import bootstrap
from transporter.support.errors import UserError

DRAWS = 300
"""Of the bootstrap: Fréchet distances are not as quick as means."""
RANGE, COSINE = (0.0, math.inf), (-1.0, 1.0)
"""Of a distance, and of a cosine."""
Statistic = Callable[[np.ndarray], float]
"""Indices of the clips of one system `(k,)`, some of them doubled, to a number."""


@dataclass(frozen=True)
class Number:
    """A number that a table shows: which direction is better, how it is made of the clips `rows` of
    the scores, and, where it is no mean over them but one of all together, its range.
    """

    key: str
    higher: bool
    of: Callable[[np.ndarray], float]
    range: tuple[float, float] | None = None


def means(table: pd.DataFrame, keys: Mapping[str, bool]) -> list[Number]:
    """Means over clips of those columns of `table` that it has; `keys` says whether higher is
    better.
    """

    def mean(key: str) -> Statistic:
        values = table[key].to_numpy(float)
        return lambda rows: float(values[rows].mean())

    return [Number(key, higher, mean(key)) for key, higher in keys.items() if key in table]


def distances(vectors: Mapping[str, torch.Tensor], keys: Sequence[str]) -> list[Number]:
    """Fréchet distances from all real clips, in each of the features `keys` that there are."""

    def distance(key: str) -> Statistic:
        real, generated = vectors[f"{key}/real"], vectors[f"{key}/generated"]
        return lambda rows: float(frechet_distance(real, generated[torch.from_numpy(rows)]))

    known = [key for key in keys if f"{key}/real" in vectors]
    return [Number(key, False, distance(key), RANGE) for key in known]


def similarities(vectors: Mapping[str, torch.Tensor], key: str = "embeddings") -> list[Number]:
    """Cosine, l1, l2 and KL of the mean encoding of clips and that of all real clips."""
    real, generated = vectors[f"{key}/real"].mean(0), vectors[f"{key}/generated"]

    def similarity(name: str) -> Statistic:
        return lambda rows: compare(real, generated[torch.from_numpy(rows)].mean(0))[name]

    return [
        Number(name, name == "cos", similarity(name), COSINE if name == "cos" else RANGE)
        for name in ("cos", "l1", "l2", "kl")
    ]


def compare_systems(
    table: pd.DataFrame, numbers: Sequence[Number], ours: str, seed: int = 0, draws: int = DRAWS
) -> pd.DataFrame:
    """One row per system of `table` (columns `system`, `concept`, `seed`, `target_caption`), in
    order of appearance. Intervals of numbers of sets are centred (`statistics.bootstrap`).

    Clips are drawn by target caption, the same captions for both systems of a difference. Columns
    per number: `key`, `key_low`, `key_high`; in rows other than `ours`, `key_gain` with its
    interval, by how much `ours` is better (above 0: better, whichever direction that is), and
    `key_beaten`, whether the interval lies above 0.

    Raises:
        UserError: the systems are not about the same concepts and seeds.
    """
    places = _places(table, ours)
    captions = table["target_caption"].to_numpy()[places[ours]]
    rows: list[dict[str, Any]] = []
    for system, place in places.items():
        row: dict[str, Any] = {"system": system, "clips": len(place)}
        for number in numbers:
            row |= bootstrap(
                lambda drawn, n=number, p=place: n.of(p[drawn]),
                captions,
                seed,
                draws,
                centred_in=number.range,
            ).row(number.key)
            if system != ours:
                row |= _gain(number, places[ours], place, captions, seed, draws)
        rows.append(row)
    return pd.DataFrame(rows)


def _gain(
    number: Number,
    ours: np.ndarray,
    theirs: np.ndarray,
    captions: np.ndarray,
    seed: int,
    draws: int,
) -> dict[str, Any]:
    sign = 1 if number.higher else -1
    gain = bootstrap(
        lambda drawn: sign * (number.of(ours[drawn]) - number.of(theirs[drawn])),
        captions,
        seed,
        draws,
        centred_in=number.range and (-math.inf, math.inf),
    )
    return gain.row(f"{number.key}_gain") | {f"{number.key}_beaten": gain.low > 0}


def _places(table: pd.DataFrame, ours: str) -> dict[str, np.ndarray]:
    """Rows of each system, in one order of concepts and seeds."""
    table = table.reset_index(drop=True)
    parts = {
        system: part.sort_values(["concept", "seed"])
        for system, part in table.groupby("system", sort=False)
    }
    if ours not in parts:
        raise UserError(f"comparison: expected clips of {ours}, got those of {', '.join(parts)}")
    pairs = {
        system: part[["concept", "seed"]].to_numpy().tolist() for system, part in parts.items()
    }
    if other := [system for system in parts if pairs[system] != pairs[ours]]:
        raise UserError(
            f"comparison: expected clips of the same concepts and seeds, got others of {other[0]}"
            f" than of {ours}"
        )
    return {system: part.index.to_numpy() for system, part in parts.items()}


def verdict(compared: pd.DataFrame, keys: Mapping[str, str], rivals: Sequence[str]) -> str:
    """In words: in which numbers (key to title) `ours` beats all of the systems `rivals`, and how
    many it does not in others.
    """
    them = compared[compared["system"].isin(rivals)]
    beaten = {key: them[f"{key}_beaten"].astype(bool) for key in keys if f"{key}_beaten" in them}
    ahead = [keys[key] for key, flags in beaten.items() if flags.all()]
    behind = [
        f"{keys[key]} ({int((~flags).sum())} of {len(flags)} not)"
        for key, flags in beaten.items()
        if not flags.all()
    ]
    sentences = []
    if ahead:
        sentences.append(
            "better than every baseline, the interval of the difference above 0, in"
            f" {', '.join(ahead)}"
        )
    if behind:
        sentences.append(f"not shown to beat all in {', '.join(behind)}")
    return "; ".join(sentences)
