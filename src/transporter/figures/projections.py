"""What the number P of projections in rho-OT is good for: the captions' agreement over P, read from
the ablation table.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from transporter.figures.canvas import Canvas
from transporter.figures.exhibit import Drawing
from transporter.figures.theme import COLOURS, COLUMN, MARGIN
from transporter.support.errors import UserError
from transporter.support.files import read_table

SCORES = {"cos": "embedding cosine", "bleu_1": "BLEU@1"}
READERS = {"phi": ("through Φ", "o", COLOURS[0]), "reencoded": ("decoded video", "s", COLOURS[1])}
CAPTION = (
    "Number P of projections in ρ-OT. Agreement of the caption of the generated video at"
    " φ\u00a0=\u00a01 with the target caption, as the VLM reads it through the variant's own Φ, or"
    " from the decoded video. Bars: 95 % bootstrap intervals over captions."
)


def draw(inputs: Mapping[str, Any], settings: Mapping[str, Any]) -> Drawing:
    """The figure from `table`, the ablation table, and `projections`, P by variant.

    Raises:
        UserError: as `projections_figure` does.
    """
    table = read_table(inputs["table"], ("variant",))
    return Drawing(projections_figure(table, settings["projections"]), CAPTION)


def projections_figure(table: pd.DataFrame, projections: Mapping[str, int]) -> Figure:
    """One panel per score of the ablation table, P across; `projections` is P by the table's column
    `variant`.

    Raises:
        UserError: the table has fewer than two of the variants, or none of the scores.
    """
    rows = table[table["variant"].isin(list(projections))]
    rows = rows.assign(projections=rows["variant"].map(projections)).sort_values("projections")
    scores = [score for score in SCORES if _has(rows, score)]
    if len(rows) < 2 or not scores:
        raise UserError(
            f"figure of projections: expected two of the variants {', '.join(projections)} and one"
            f" of the scores {', '.join(SCORES)} in the ablation table, got {len(rows)} and"
            f" {len(scores)}"
        )
    canvas = Canvas(COLUMN, 1.75)
    wide = (COLUMN - 2 * MARGIN) / len(scores)
    for number, score in enumerate(scores):
        _panel(canvas.plot(MARGIN + number * wide + 0.32, 0.28, wide - 0.42, 1.1), rows, score)
        canvas.text(MARGIN + number * wide + 0.32, 0.14, SCORES[score])
    return canvas.figure


def _has(table: pd.DataFrame, score: str) -> bool:
    """Whether any reader has the score."""
    return any(f"{reader}_{score}" in table for reader in READERS)


def _panel(axes: Axes, rows: pd.DataFrame, score: str) -> None:
    for side, (reader, (label, marker, colour)) in enumerate(READERS.items()):
        key = f"{reader}_{score}"
        if key not in rows:
            continue
        value, low, high = (
            rows[f"{key}{end}"].to_numpy(dtype=float) for end in ("", "_low", "_high")
        )
        # beside each other where they coincide
        x = rows["projections"].to_numpy(dtype=float) * 2 ** (0.08 * (2 * side - 1))
        bars = np.maximum(0, [value - low, high - value])
        axes.errorbar(
            x,
            value,
            bars,
            color=colour,
            marker=marker,
            markersize=3,
            elinewidth=0.8,
            capsize=1.5,
            label=label,
        )
    axes.set_xscale("log", base=2)
    axes.set_xticks(rows["projections"], rows["projections"].astype(str))
    axes.minorticks_off()
    axes.locator_params(axis="y", nbins=5)
    axes.set_xlabel("P", labelpad=1, size=7)
    axes.legend(
        fontsize=6, frameon=True, framealpha=1, edgecolor="none", loc="best", handlelength=1.2
    )
