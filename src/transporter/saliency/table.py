"""Scores of maps, clip by clip, and their means with intervals."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import torch

from transporter.saliency.benchmark import DEFAULT, Scene
from transporter.saliency.scoring import (
    average_precision,
    best_iou,
    fixed_threshold,
    iou,
    pointing,
)
from transporter.statistics.bootstrap import mean_intervals
from transporter.statistics.proportions import mean_share

MEASURES = ("ap", "iou", "iou_fixed", "pointing", "correlation", "overlap")
"""The last two are of maps with other maps, and only where these are compared."""
HITS = "pointing"
"""That of `MEASURES` which is a share of frames."""
WHEN = "when"
"""The kind of row that asks for frames, not for tokens."""
MEAN_OF = ("shape", "colour", "motion", "ground")
"""Kinds whose mean precision chooses the default."""

Thresholds = Mapping[tuple[str, str], float]


def thresholds(scene: Scene, maps: Mapping[str, torch.Tensor]) -> dict[tuple[str, str], float]:
    """One threshold for every reading and kind, chosen on a scene."""
    return {
        (name, kind): fixed_threshold(*_of_kind(scene, found, number))
        for name, found in maps.items()
        for number, kind in enumerate(scene.kinds[:-1])
    }


def _of_kind(scene: Scene, maps: torch.Tensor, number: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Maps and truth of the clips that have the word, `(b, N)` each."""
    known = scene.known[:, number]
    return maps[known, number].flatten(1), scene.truth[known, number].flatten(1)


def clip_scores(scene: Scene, maps: Mapping[str, torch.Tensor], chosen: Thresholds) -> pd.DataFrame:
    """One row for each reading, kind of word and clip: `base`, the share of tokens where it is,
    and `MEASURES`.
    """
    rows: list[pd.DataFrame] = []
    for name, found in maps.items():
        for number, kind in enumerate(scene.kinds[:-1]):
            threshold = chosen.get((name, kind), torch.nan)
            part = scores_of(*_of_kind(scene, found, number), threshold, found.shape[2])
            clips = scene.known[:, number].nonzero()[:, 0].tolist()
            rows.append(pd.DataFrame({"reading": name, "kind": kind, "clip": clips} | part))
    return pd.concat(rows, ignore_index=True)


def scores_of(
    maps: torch.Tensor, truth: torch.Tensor, threshold: float, frames: int
) -> dict[str, list[float]]:
    """`base` and `MEASURES` of maps and truth `(B, F P)`, B numbers each; nan for a threshold that
    was not chosen.
    """
    per_frame = (part.unflatten(1, (frames, -1)) for part in (maps, truth))
    found = {
        "base": truth.float().mean(1),
        "ap": average_precision(maps, truth),
        "iou": best_iou(maps, truth),
        "iou_fixed": iou(maps, truth, threshold) + 0 * threshold,
        "pointing": pointing(*per_frame),
    }
    return {name: values.tolist() for name, values in found.items()}


def controls(scene: Scene, name: str, maps: torch.Tensor) -> dict[str, torch.Tensor]:
    """What a reading's maps should lose by: another clip's, other frames', another word's."""
    frames = torch.arange(maps.shape[2]).roll(maps.shape[2] // 2)
    other = maps[:, -1:].expand_as(maps).clone()
    other[~scene.known[:, -1]] = torch.nan
    return {
        f"{name}, another clip": maps.roll(1, 0),
        f"{name}, shuffled frames": maps[:, :, frames],
        f"{name}, another word": other,
    }


def when_scores(
    scene: Scene, maps: Mapping[str, torch.Tensor], profiles: Mapping[str, torch.Tensor]
) -> pd.DataFrame:
    """Precision over frames of the clips that move in one half: is a word's map higher there?

    A frame's score is its tokens' mean, less what such frames have in clips that move all the time
    (`profiles`, `(K + 1, F)` by reading). The first latent frame, which is a single picture, does
    not count.
    """
    half = (scene.moving[:, 1:] < 0.5).any(1)
    truth = scene.moving[half, 1:] >= 0.5
    rows = []
    for name, found in maps.items():
        for number, kind in enumerate(scene.kinds[:-1]):
            levels = found[half, number].mean((-1, -2))
            for corrected, less in (("", 0.0), (", less its profile", profiles[name][number])):
                score = (levels - less)[:, 1:]
                part = {"ap": average_precision(score, truth).tolist()}
                part["base"] = truth.float().mean(1).tolist()
                about = {"reading": f"{name}{corrected}", "kind": f"{WHEN}: {kind}"}
                rows.append(pd.DataFrame(about | {"clip": half.nonzero()[:, 0].tolist()} | part))
    return pd.concat(rows, ignore_index=True)


def profiles(scene: Scene, maps: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The mean level of every kind and frame in clips that move all the time, `(K + 1, F)`."""
    whole = (scene.moving[:, 1:] >= 0.5).all(1)
    return {name: found[whole].mean((0, -1, -2)) for name, found in maps.items()}


def summary(scores: pd.DataFrame, beside: str = DEFAULT) -> pd.DataFrame:
    """Means over clips with 95 % intervals, exact of shares, one row for each reading and kind;
    `more` is by how much the precision is above that of the reading `beside` about the same clips.
    Clips of one `group`, where the scores have that column, are drawn together.
    """
    groups = None
    if "group" in scores:
        groups = scores.drop_duplicates("clip").set_index("clip")["group"]
    measures = [name for name in MEASURES if name in scores]
    rows = []
    for kind, part in scores.groupby("kind", sort=False):
        tables = {
            name: part.pivot(index="clip", columns="reading", values=name)
            for name in (*measures, "base")
        }
        for reading in part["reading"].unique():
            columns = {name: table[reading] for name, table in tables.items()}
            known = columns["ap"].notna()
            if not known.any():  # a control that none of few clips has
                continue
            if beside in tables["ap"]:
                columns["more"] = columns["ap"] - tables["ap"][beside]
            columns = {name: column[known] for name, column in columns.items()}
            base = columns.pop("base").mean()
            whole = {name: column for name, column in columns.items() if column.notna().all()}
            row = {"reading": reading, "kind": kind, "clips": int(known.sum()), "base": base}
            labels = None if groups is None else groups.loc[known[known].index].tolist()
            intervals = mean_intervals(np.stack([*whole.values()], 1), labels)
            for name, interval in zip(whole, intervals, strict=True):
                row |= interval.row(name)
            if HITS in whole:
                row |= mean_share(whole[HITS], labels).row(HITS)
            rows.append(row)
    return pd.DataFrame(rows)


def mean_precision(table: pd.DataFrame) -> pd.Series:
    """Of each reading, over the kinds of words with a place, by a `summary`; the best first."""
    kinds = table[table["kind"].isin(MEAN_OF)]
    return kinds.groupby("reading")["ap"].mean().sort_values(ascending=False)
