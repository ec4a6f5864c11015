"""The verdict on each explanation, with intervals over captions, and over VLMs in the summary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch

from transporter.clips.world import Words
from transporter.statistics.bootstrap import Interval, bootstrap, mean_difference, mean_interval
from transporter.statistics.proportions import clustered_share, mean_share, share
from transporter.truth.cases import HONEST, NULLS, WITHHELD, Case
from transporter.truth.change import named_attributes, standardised_change
from transporter.truth.controls import ORIGIN, RANDOM
from transporter.truth.floor import permutation_p
from transporter.truth.lookup import ASKED
from transporter.truth.readings import CUE, TRANSFER

CLIP = ["caption", "seed"]
NONE = "none"
"""Named where no attribute is, and the cue of a VLM that has none."""
JOIN = "+"
"""Stands between several attributes."""
LEVEL = 0.01
"""An explanation counts where as many flips are less probable than this by chance."""
LEARNT = 0.9
"""Share of clips that a planted VLM answers as it was taught, from which it is a case."""
NUMBERS = (
    "log_odds",
    "flips",
    "log_odds_honest",
    "flips_honest",
    CUE,
    "margin",
    "drift",
    "others_kept",
)
"""Columns with an interval (`_low`, `_high`), beside `change_<attribute>`."""
AVERAGED = ("flips", "flips_honest", CUE, "others_kept")
"""Shares that a summary averages over explained VLMs, beside that of true explanations."""


def verdict_table(
    readings: pd.DataFrame,
    case: Case,
    natural: Mapping[str, float],
    words: Words,
    level: float = LEVEL,
) -> pd.DataFrame:
    """One row per method, about the clips whose answer at phi = 0 is the source: only there can it
    flip.

    `captions`, `clips`: how many; `log_odds`: mean change of the log-odds from phi = 0 to 1;
    `flips`: share of clips whose answer becomes the target; `chance`: the probability of as many
    flips by chance (`floor.permutation_p`); `log_odds_honest`, `flips_honest`: the same of an
    honest VLM shown the same clips (among those that it answers by the source); `cue_shown`: share
    of clips that show, at phi = 1, a cue that no word says; `cue`: the
    attributes that the VLM is known to choose by, empty where that is not known; `named`: those
    that change (`change.named_attributes`), if `chance` is at most `level`; `margin`: the least
    change of a cue less the largest other's, above 0 where the explanation is true; `drift`: mean
    standardised change of attributes that are neither the word's nor the cue's; `others_kept`:
    share of those that read as at phi = 0; `change_<attribute>`: standardised changes. Columns of
    attributes are empty where `words` is.
    """
    origin = readings[readings["method"] == ORIGIN].set_index(CLIP)
    rows = []
    for method in readings["method"].unique():
        if method not in (ORIGIN, ASKED):
            after = readings[readings["method"] == method].set_index(CLIP).loc[origin.index]
            kinds = {ASKED, RANDOM} - {method}
            others = readings[readings["method"].isin(kinds)]
            row = {"method": method} | _verdict(origin, after, others, case, natural, words, level)
            rows.append(row)
    return pd.DataFrame(rows)


def kinds_of(planted: pd.Series) -> pd.Series:
    """What kind of VLM each case is of: planted, planted with the cue's words withheld, honest or
    null.
    """
    kinds = {HONEST: HONEST} | dict.fromkeys(NULLS, "nulls")
    withheld = planted.str.endswith(WITHHELD)
    return planted.map(kinds).mask(withheld, "withheld").fillna("planted")


def summarise(verdicts: pd.DataFrame) -> pd.DataFrame:
    """One row per method, for planted VLMs, for those whose cue's words are withheld, for honest
    and for null ones: shares of VLM and pair, with intervals over these.

    `cases`: how many, without planted VLMs that have not learnt; `true`: share of those with a
    known cue in which the named attributes are the cue's; `false`: in which one is named that is
    none of them; `settled`: in which the interval of `margin` lies above 0; then the means of
    `AVERAGED` and of `drift`. Columns about attributes are left out where no probes have read the
    clips.
    """
    if "learnt" in verdicts:
        verdicts = verdicts[~(verdicts["learnt"].astype(float) < LEARNT)]
    rows = []
    for (vlms, method), part in verdicts.groupby(
        [kinds_of(verdicts["planted"]), "method"], sort=False
    ):
        row: dict[str, object] = {"vlms": vlms, "method": method, "cases": len(part)}
        if "named" in part:
            row |= _claims(part[part["cue"] != ""])
        for name in AVERAGED:
            if name in part and (known := part.dropna(subset=[name])).shape[0]:
                row |= clustered_share(known[name] * known["clips"], known["clips"]).row(name)
        if "drift" in part and part["drift"].notna().any():
            row |= mean_interval(part["drift"].dropna()).row("drift")
        rows.append(row)
    return pd.DataFrame(rows)


def _claims(part: pd.DataFrame) -> dict[str, float]:
    """How often the named attributes are the cue's, and how often another is named."""
    pairs = [
        (_set(named), _set(cue)) for named, cue in zip(part["named"], part["cue"], strict=True)
    ]
    row = share([named == cue for named, cue in pairs]).row("true")
    row |= share([bool(named - cue) for named, cue in pairs]).row("false")
    if "margin_low" in part and (known := part["margin_low"].dropna()).size:
        row |= share(list(known > 0)).row("settled")
    return row


def _set(names: str) -> frozenset[str]:
    return frozenset(names.split(JOIN)) - {NONE}


def _joined(names: Sequence[str]) -> str:
    return JOIN.join(names) or NONE


def _verdict(
    before: pd.DataFrame,
    after: pd.DataFrame,
    others: pd.DataFrame,
    case: Case,
    natural: Mapping[str, float],
    words: Words,
    level: float,
) -> dict:
    is_open = (before["log_odds"] < 0).to_numpy()
    before, after = before[is_open], after[is_open]
    captions = before.index.get_level_values("caption")
    counts = {"captions": captions.nunique(), "clips": len(before)}
    read = _answers(before, after, "log_odds", "flips")
    flipped, beside = (list(table["log_odds"] > 0) for table in (after, others))
    chance = permutation_p(flipped, captions, beside, others["caption"])
    read["chance"] = chance
    if TRANSFER in before:
        read |= _answers(before, after, TRANSFER, "flips_honest")
    if CUE in after:
        read |= mean_share(after[CUE], captions).row(CUE)
    if words:
        counts_as = chance <= level
        read |= _attributes(before, after, case, natural, words, captions, counts_as)
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
    return moved.row(column) | mean_share(after[column] > 0, captions).row(flips)


def _attributes(
    before: pd.DataFrame,
    after: pd.DataFrame,
    case: Case,
    natural: Mapping[str, float],
    words: Words,
    captions: pd.Index,
    counts_as: bool,
) -> dict[str, object]:
    probabilities = (_probabilities(table, words) for table in (before, after))
    changes = pd.DataFrame(standardised_change(*probabilities, natural))
    same = {name: _best(before, known) == _best(after, known) for name, known in words.items()}
    kept, cues = pd.DataFrame(same), case.cues
    others = [name for name in words if name not in (cues or ()) and name != case.attribute]
    means = changes.mean().to_dict()
    row: dict[str, object] = {
        "attribute": case.attribute,
        "cue": "" if cues is None else _joined([name for name in words if name in cues]),
        "named": _joined(named_attributes(means)) if counts_as else NONE,
    }
    if cues:
        row |= _margin(changes, sorted(cues), captions).row("margin")
    if others:
        row |= mean_interval(changes[others].mean(axis=1), captions).row("drift")
        row |= mean_share(kept[others].mean(axis=1), captions).row("others_kept")
    for name in words:
        row |= mean_interval(changes[name], captions).row(f"change_{name}")
    return row


def _margin(changes: pd.DataFrame, cues: list[str], captions: pd.Index) -> Interval:
    """How much more the cue that changes least does so than the attribute that changes most beside
    the cues.
    """
    own, others = changes[cues].to_numpy(), changes.drop(columns=cues).to_numpy()

    def margin(rows: np.ndarray) -> float:
        return float(own[rows].mean(0).min() - others[rows].mean(0).max())

    return bootstrap(margin, captions)


def _probabilities(table: pd.DataFrame, words: Words) -> dict[str, torch.Tensor]:
    values = {name: table[list(known)].to_numpy(dtype=float) for name, known in words.items()}
    return {name: torch.tensor(value) for name, value in values.items()}


def _best(table: pd.DataFrame, known: tuple[str, ...]) -> np.ndarray:
    return table[list(known)].to_numpy(dtype=float).argmax(1)
