"""Do explained clips name what a VLM goes by? Of VLMs whose cue is known, counted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from transporter.clips.contrast import holds
from transporter.clips.world import Probes, Words
from transporter.explainer.one_clip import ExplainedClip
from transporter.explainer.probed import named
from transporter.statistics.proportions import share
from transporter.truth.cases import HONEST, Case
from transporter.truth.table import JOIN, LEARNT

COLUMNS = ("clip", "caption", "cue", "says_cue", "answer", "flip", "by", "control", "named")
"""Of one clip: `cue`, the attributes that the VLM is known to choose by, "" where no word says
them; `says_cue`, whether the caption has a word of each; `by`, the other words that flip the answer
where the question's do not; `control`, whether a random change does; `named`, what the edit that
flips it changes most (`probed.named`).
"""
TEXT = ("clip", "caption", "cue", "answer", "by", "named")
COUNTED = (
    "generator",
    "vlm",
    "planted",
    "concept",
    "cue",
    "learnt",
    "captions",
    "clips",
    "flips",
    "otherwise",
    "random",
    "true",
    "true_low",
    "true_high",
    "false",
)
STRENGTHS = (0.0, 0.5, 1.0)
"""Tried first; no page shows these clips, and no even ones are made for it."""
ANY, WITH, WITHOUT = "all", "with the cue's word", "without it"
"""Strata of captions."""


def row(name: str, clip: ExplainedClip, case: Case, probes: Probes) -> dict[str, object]:
    """`COLUMNS` of one clip."""
    found, caption = clip.found, clip.found.caption
    values = (
        name,
        caption,
        JOIN.join(sorted(case.cues or ())),
        int(says(caption, case, probes.vocabulary)),
        found.concept.source,
        int(found.flip is not None),
        "" if clip.other is None else clip.other.edit.removeprefix("from "),
        int(clip.flipped.control_log_odds > 0),
        named(clip.flipped, probes),
    )
    return dict(zip(COLUMNS, values, strict=True))


def says(caption: str, case: Case, words: Words) -> bool:
    """Whether a caption has a word of every attribute of the cue."""
    known = [words[name] for name in case.cues or ()]
    return bool(known) and all(any(holds(caption, word) for word in group) for group in known)


@dataclass(frozen=True)
class Explained:
    """The explained clips of one VLM: a row of `COLUMNS` for each.

    `learnt` is the share of clips that a planted VLM answers as taught, NaN of others.
    """

    generator: str
    vlm: str
    planted: str
    concept: str
    table: pd.DataFrame
    learnt: float = np.nan


def counted(found: Sequence[Explained]) -> pd.DataFrame:
    """`COUNTED` of every VLM, then of all planted ones that have learnt together, and of all honest
    ones; the strata of captions have rows of their own where there are both.

    `flips`: share of clips whose answer the question's words flip; `otherwise`: other words;
    `random`: a random change; `true`: what changes most there is the cue, with the exact interval;
    `false`: it is something else. A clip that nothing flips is neither.
    """
    rows: list[dict[str, object]] = []
    for one in found:
        labels = (one.generator, one.vlm, one.planted, one.concept, _cue(one.table), one.learnt)
        rows += _strata(dict(zip(COUNTED, labels, strict=False)), one.table)
    learnt = [one for one in found if not one.learnt < LEARNT]
    for name, honest in (("all planted", False), (HONEST, True)):
        tables = [one.table for one in learnt if (one.planted == HONEST) == honest]
        if len(tables) > 1:
            labels = {"planted": name, "concept": ANY, "learnt": np.nan}
            empty = dict.fromkeys(("generator", "vlm", "cue"), "")
            rows += _strata(empty | labels, pd.concat(tables))
    return pd.DataFrame(rows, columns=list(COUNTED))


def _cue(table: pd.DataFrame) -> str:
    return "" if table.empty else str(table["cue"].iloc[0])


def _strata(labels: dict[str, object], table: pd.DataFrame) -> Iterator[dict[str, object]]:
    parts = {WITH: table[table["says_cue"] == 1], WITHOUT: table[table["says_cue"] == 0]}
    both = parts if all(len(part) for part in parts.values()) else {}
    for captions, part in ({ANY: table} | both).items():
        yield labels | {"captions": captions} | _shares(part)


def _shares(table: pd.DataFrame) -> dict[str, object]:
    known = table[table["cue"] != ""]
    pairs = list(zip(known["named"], known["cue"].str.split(JOIN), strict=True))
    true = share([name in cues for name, cues in pairs])
    false = share([bool(name) and name not in cues for name, cues in pairs])
    return {
        "clips": len(table),
        "flips": table["flip"].mean(),
        "otherwise": (table["by"] != "").mean(),
        "random": table["control"].mean(),
        "true": true.value,
        "true_low": true.low,
        "true_high": true.high,
        "false": false.value,
    }
