"""The verdict on each explanation, with intervals over resampled captions."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import torch

from transporter.clips.world import Words
from transporter.statistics.bootstrap import Interval, bootstrap, mean_difference, mean_interval
from transporter.truth.cases import HONEST, Case
from transporter.truth.change import named_cue, standardised_change
from transporter.truth.controls import ORIGIN
from transporter.truth.readings import TRANSFER

CLIP = ["caption", "seed"]
NUMBERS = ("log_odds", "flips", "log_odds_honest", "flips_honest", "margin", "drift", "others_kept")
"""Columns with an interval (`_low`, `_high`), beside `change_<attribute>`."""
AVERAGED = ("flips", "flips_honest", "drift", "others_kept")
"""Columns that a summary averages over explained VLMs, beside the share of true explanations."""


def verdict_table(
    readings: pd.DataFrame, case: Case, natural: Mapping[str, float], words: Words
) -> pd.DataFrame:
    """One row per method, about the clips whose answer at phi = 0 is the source: only there can it
    flip.

    `captions`, `clips`: how many; `log_odds`: mean change of the log-odds from phi = 0 to 1;
    `flips`: share of clips whose answer becomes the target; `log_odds_honest`, `flips_honest`: the
    same of an honest VLM shown the same clips (among those that it answers by the source); `cue`:
    the attribute that the VLM is known to choose by; `named`: the one with the largest standardised
    change; `margin`: the cue's change less the largest other's, above 0 where the explanation is
    true; `drift`: mean standardised change of attributes that are neither the word's nor the cue's;
    `others_kept`: share of those that read as at phi = 0; `change_<attribute>`: standardised
    changes. Columns of attributes are empty where `words` is.
    """
    origin = readings[readings["method"] == ORIGIN].set_index(CLIP)
    rows = []
    for method in readings["method"].unique():
        if method != ORIGIN:
            after = readings[readings["method"] == method].set_index(CLIP).loc[origin.index]
            rows.append({"method": method} | _verdict(origin, after, case, natural, words))
    return pd.DataFrame(rows)


def summarise(verdicts: pd.DataFrame) -> pd.DataFrame:
    """One row per method, for planted VLMs and for honest ones: means over VLM and pair, with
    intervals resampled over these.

    `cases`: how many; `true`: share of them in which the named attribute is the cue; `settled`: in
    which the interval of `margin` lies above 0; then the means of `AVERAGED`. Columns about
    attributes are left out where no probes have read the clips.
    """
    kind = np.where(verdicts["planted"] == HONEST, HONEST, "planted")
    rows = []
    for (vlms, method), part in verdicts.groupby([kind, "method"], sort=False):
        row: dict[str, object] = {"vlms": vlms, "method": method, "cases": len(part)}
        if "named" in part:
            row |= mean_interval(part["named"] == part["cue"]).row("true")
            row |= mean_interval(part["margin_low"] > 0).row("settled")
        for name in AVERAGED:
            if name in part and (known := part[name].dropna()).size:
                row |= mean_interval(known).row(name)
        rows.append(row)
    return pd.DataFrame(rows)


def _verdict(
    before: pd.DataFrame,
    after: pd.DataFrame,
    case: Case,
    natural: Mapping[str, float],
    words: Words,
) -> dict:
    is_open = (before["log_odds"] < 0).to_numpy()
    before, after = before[is_open], after[is_open]
    captions = before.index.get_level_values("caption")
    counts = {"captions": captions.nunique(), "clips": len(before)}
    read = _answers(before, after, "log_odds", "flips")
    if TRANSFER in before:
        read |= _answers(before, after, TRANSFER, "flips_honest")
    if words:
        read |= _attributes(before, after, case, natural, words, captions)
    return counts | read


def _answers(
    before: pd.DataFrame, after: pd.DataFrame, column: str, flips: str
) -> dict[str, float]:
    """How far the answer moves and how often it flips, among the clips that a VLM answers by the
    source.
    """
    before = before[before[column] < 0]
    if before.empty:
        return {}
    captions, after = before.index.get_level_values("caption"), after.loc[before.index]
    moved = mean_difference(after[column], before[column], captions)
    return moved.row(column) | mean_interval(after[column] > 0, captions).row(flips)


def _attributes(
    before: pd.DataFrame,
    after: pd.DataFrame,
    case: Case,
    natural: Mapping[str, float],
    words: Words,
    captions: pd.Index,
) -> dict[str, object]:
    probabilities = (_probabilities(table, words) for table in (before, after))
    changes = pd.DataFrame(standardised_change(*probabilities, natural))
    same = {name: _best(before, known) == _best(after, known) for name, known in words.items()}
    kept = pd.DataFrame(same)
    others = [name for name in words if name not in (case.cue, case.attribute)]
    row: dict[str, object] = {
        "attribute": case.attribute,
        "cue": case.cue,
        "named": named_cue(changes.mean().to_dict()) or "nothing",
    }
    if case.cue:
        row |= _margin(changes, case.cue, captions).row("margin")
    row |= mean_interval(changes[others].mean(axis=1), captions).row("drift")
    row |= mean_interval(kept[others].mean(axis=1), captions).row("others_kept")
    for name in words:
        row |= mean_interval(changes[name], captions).row(f"change_{name}")
    return row


def _margin(changes: pd.DataFrame, cue: str, captions: pd.Index) -> Interval:
    """How much more the cue changes than the attribute that changes most beside it."""
    own, others = changes[cue].to_numpy(), changes.drop(columns=cue).to_numpy()
    return bootstrap(lambda rows: float(own[rows].mean() - others[rows].mean(0).max()), captions)


def _probabilities(table: pd.DataFrame, words: Words) -> dict[str, torch.Tensor]:
    values = {name: table[list(known)].to_numpy(dtype=float) for name, known in words.items()}
    return {name: torch.tensor(value) for name, value in values.items()}


def _best(table: pd.DataFrame, known: tuple[str, ...]) -> np.ndarray:
    return table[list(known)].to_numpy(dtype=float).argmax(1)
