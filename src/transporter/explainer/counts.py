"""What does a VLM go by in many clips? What was found in each, counted."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from transporter.statistics.proportions import share
from transporter.support.files import read_table

INDEX, LEFT_OUT = "index.tsv", "left_out.tsv"
COLUMNS = (
    "clip",
    "caption",
    "folder",
    "answer",
    "other",
    "flip",
    "phi",
    "changed",
    "lpips",
    "control",
    "by",
)
REASONS = ("clip", "reason")
"""Columns of `LEFT_OUT`."""
TEXT = ("clip", "caption", "folder", "by", "moved", "named")
READ = ("hit", "kept", "moved", "named")
"""Further columns, where probes read the clips."""
SUMMARY = (
    "generator",
    "vlm",
    "concept",
    "clips",
    "flip_rate",
    "flip_low",
    "flip_high",
    "phi",
    "changed",
    "lpips",
    "control_rate",
    "by",
    "hit_rate",
    "others_kept",
    "moved",
    "named",
)


@dataclass(frozen=True)
class Explained:
    """The clips that one concept explains of one generator and VLM.

    Attributes:
        folder: theirs, as the page names it.
        table: a row for each, as `explainer.many.write_explanations` writes it.
        left_out: clips that cannot be explained, and why.
    """

    generator: str
    vlm: str
    concept: str
    folder: str
    table: pd.DataFrame
    left_out: pd.DataFrame

    @classmethod
    def load(cls, folder: str | os.PathLike[str], beside: str | os.PathLike[str]) -> Explained:
        """What is in `folder`, which lies under `beside` and ends in the names of generator, VLM
        and concept.
        """
        path = Path(folder)
        table = read_table(path / INDEX, COLUMNS, text=TEXT)
        for name in {"phi", "kept", "lpips"} & set(table.columns):  # empty cells among numbers
            table[name] = pd.to_numeric(table[name], errors="coerce")
        left_out = read_table(path / LEFT_OUT, REASONS, text=REASONS)
        return cls(*path.parts[-3:], path.relative_to(beside).as_posix(), table, left_out)


def summary(found: Sequence[Explained]) -> pd.DataFrame:
    """`SUMMARY` of every concept, and where there are several of all together.

    That is the share of clips whose answer flips with its exact interval, the median strength at
    which it does, the mean share of pixels changed there and the mean LPIPS^v where it is measured,
    the share of clips that a random change as large flips too, and by which other words most of the
    rest flip, with their number.
    Where probes read the clips, the share of edits that read as the other word, that of other
    attributes kept, which of them changed most often unasked, and which the edits that flip the
    answer change most, both with their counts.
    """
    rows = [_counted(part.generator, part.vlm, part.concept, part.table) for part in found]
    for models in dict.fromkeys((part.generator, part.vlm) for part in found):
        of_models = [part for part in found if (part.generator, part.vlm) == models]
        if len(of_models) > 1:
            whole = pd.concat([part.table for part in of_models])
            rows.append(_counted(*models, "all", whole))
    return pd.DataFrame(rows, columns=list(SUMMARY))


def _counted(generator: str, vlm: str, concept: str, table: pd.DataFrame) -> dict[str, object]:
    flips = share(table["flip"].tolist())
    probed = set(READ) <= set(table.columns)
    return {
        "generator": generator,
        "vlm": vlm,
        "concept": concept,
        "clips": len(table),
        "flip_rate": flips.value,
        "flip_low": flips.low,
        "flip_high": flips.high,
        "phi": table["phi"].median(),
        "changed": table["changed"].mean(),
        "lpips": table["lpips"].mean(),
        "control_rate": table["control"].mean(),
        "by": _commonest(table["by"].tolist()),
        "hit_rate": table["hit"].mean() if probed else np.nan,
        "others_kept": table["kept"].mean() if probed else np.nan,
        "moved": _commonest(table["moved"].tolist()) if probed else "",
        "named": _commonest(table["named"].tolist()) if probed else "",
    }


def _commonest(lists: Sequence[str]) -> str:
    """The name that most of some lists hold, with its count; "" where all are empty."""
    names = [name for text in lists for name in text.split(", ") if name]
    if not names:
        return ""
    name = max(dict.fromkeys(names), key=names.count)
    return f"{name} ({names.count(name)})"
