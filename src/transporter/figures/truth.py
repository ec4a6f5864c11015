"""The benchmark at a glance: which attribute an explanation changes, against the one that the VLM
goes by.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from transporter.figures.theme import DPI, FAILED, INK, MAP, PAPER, QUIET, SCREEN
from transporter.support.errors import UserError
from transporter.support.files import written_whole

CHANGE = "change_"
CASE = ("generator", "vlm", "planted", "concept")
MOST = 2.0
"""What a two-word attribute changes by that is replaced everywhere."""
NAMED = "o"
CELL = 0.32
"""Inches."""
ORDER = (
    "velocity",
    "answers",
    "logits",
    "mixed",
    "best_swap",
    "best_swap_per_caption",
    "best_two_per_caption",
    "oracle",
    "prompt_interpolation",
    "random",
    "noise",
)


def truth_matrix(table: pd.DataFrame, paths: Sequence[Path]) -> None:
    """Draw one panel per method: explained VLMs down, attributes across, colour the standardised
    change.

    A vermilion frame marks each attribute that the VLM is known to go by, a dot each that the
    explanation names: where these are the same, it is true. The form of each picture follows from
    its name (`.pdf`, `.png`).

    Raises:
        UserError: the table has no column of changes, as no probes have read the clips.
    """
    attributes = [
        name.removeprefix(CHANGE)
        for name in table
        if name.startswith(CHANGE) and not name.endswith(("_low", "_high"))
    ]
    if not attributes or table.empty:
        raise UserError(
            f"matrix {paths[0]}: expected columns {CHANGE}<attribute>, got {', '.join(table)}; set"
            " `probes`"
        )
    methods = sorted(
        table["method"].unique(), key=lambda name: ORDER.index(name) if name in ORDER else -1
    )
    cases = table[list(CASE)].drop_duplicates().reset_index(drop=True)
    with rc_context(SCREEN | {"pdf.fonttype": PAPER["pdf.fonttype"]}):
        figure = _draw(table, methods, cases, attributes)
        for path in paths:
            with written_whole(path) as partial:
                form = path.suffix.removeprefix(".")
                silent = {"png": {"Software": None}, "pdf": {"CreationDate": None}}.get(form)
                figure.savefig(partial, format=form, dpi=DPI, metadata=silent)


def _draw(
    table: pd.DataFrame, methods: Sequence[str], cases: pd.DataFrame, attributes: Sequence[str]
) -> Figure:
    size = (
        CELL * len(attributes) * len(methods) + 0.2 * len(methods) + 3.2,
        CELL * len(cases) + 1.5,
    )
    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(methods), sharey=True, squeeze=False)[0]
    for axes, method in zip(panels, methods, strict=True):
        rows = cases.merge(table[table["method"] == method], how="left", on=list(CASE))
        _panel(axes, rows, attributes)
        axes.set_title(method.replace("_", " "), size=9)
    panels[0].set_yticks(range(len(cases)), [_named(row) for row in cases.itertuples(index=False)])
    scale = ScalarMappable(Normalize(0, MOST), MAP)
    bar = figure.colorbar(
        scale, ax=list(panels), shrink=min(1.0, 4 / len(cases) + 0.4), aspect=18, pad=0.01
    )
    bar.set_label("standardised change, φ = 0 to 1", size=7)
    figure.supxlabel(
        "attribute of the video        frame: what the VLM goes by        dot: what the explanation"
        " names",
        size=8,
    )
    return figure


def _named(row: tuple) -> str:
    who = row.vlm if row.planted == "honest" else f"{row.vlm}, {row.planted.replace('_', ' ')}"
    return f"{who}: {row.concept.replace('_', ' → ')}"


def _panel(axes: Axes, rows: pd.DataFrame, attributes: Sequence[str]) -> None:
    values = rows[[CHANGE + name for name in attributes]].to_numpy(dtype=float)
    axes.imshow(np.ma.masked_invalid(values), cmap=MAP, vmin=0, vmax=MOST, aspect="equal")
    axes.set_xticks(
        range(len(attributes)), attributes, rotation=60, ha="right", rotation_mode="anchor"
    )
    axes.tick_params(length=0, labelsize=7, colors=INK)
    for spine in axes.spines.values():
        spine.set_color(QUIET)
        spine.set_linewidth(0.5)
    for line, row in enumerate(rows.itertuples(index=False)):
        for column in _columns(row.cue, attributes):
            place = (column - 0.46, line - 0.46)
            axes.add_patch(
                Rectangle(place, 0.92, 0.92, fill=False, edgecolor=FAILED, linewidth=1.8)
            )
        for column in _columns(row.named, attributes):
            colour = "black" if values[line, column] > MOST / 2 else "white"
            axes.plot(column, line, NAMED, color=colour, markersize=4)


def _columns(names: object, attributes: Sequence[str]) -> list[int]:
    """Where the attributes of a cell stand, `colour+shape` say; a cell may hold none."""
    parts = str(names).split("+")
    return [attributes.index(name) for name in parts if name in attributes]
