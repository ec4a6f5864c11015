"""What and where: does a vector change pixels where the maps of its words are?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from transporter.figures.theme import DPI, INK, METHODS, PAPER, QUIET, SCREEN, SILENT
from transporter.support.errors import UserError
from transporter.support.files import written_whole

ALL = "all"
APART = 0.24
"""Between the methods of one concept, in lines."""
COLUMNS = ("concept", "method", "share", "share_low", "share_high", "share_other")


def where_figure(table: pd.DataFrame, top: float, paths: Sequence[Path]) -> None:
    """Draw the share of the change of pixels in the `top` share of the tokens of its words' maps,
    a line for each concept and one for all; a tick is that share for another caption's maps.

    The form of each picture follows from its name (`.pdf`, `.png`).

    Raises:
        UserError: the table is empty.
    """
    if table.empty:
        raise UserError("where: expected at least one concept, got none; make the maps first")
    with rc_context(SCREEN | {"pdf.fonttype": PAPER["pdf.fonttype"]}):
        figure = _draw(table, top)
        for path in paths:
            with written_whole(path) as partial:
                form, silent = path.suffix.removeprefix("."), SILENT.get(path.suffix)
                figure.savefig(partial, format=form, dpi=DPI, metadata=silent)


def _draw(table: pd.DataFrame, top: float) -> Figure:
    concepts = table["concept"].drop_duplicates().tolist()
    methods = [name for name in METHODS if (table["method"] == name).any()]
    figure = Figure(figsize=(5.6, 0.3 * len(concepts) + 1.1), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for number, method in enumerate(methods):
        shift = APART * (number - (len(methods) - 1) / 2)
        own = table[table["method"] == method].set_index("concept").reindex(concepts)
        _method(axes, own, shift, *METHODS[method])
    axes.plot([], [], "|", color=QUIET, label="another caption's maps")
    axes.axvline(top, color=QUIET, linewidth=0.8, linestyle=(0, (3, 3)))
    axes.text(top, -0.75, " chance", color=QUIET, size=7, va="center")
    if ALL in concepts:
        axes.axhline(concepts.index(ALL) - 0.5, color=QUIET, linewidth=0.5)
    axes.set_yticks(range(len(concepts)), [name.replace("_", " → ") for name in concepts])
    axes.set_ylim(len(concepts) - 0.4, -1.1)
    axes.set_xlim(0, 1)
    axes.set_xlabel(f"share of the change of pixels in the {top:.0%} of tokens of its words")
    axes.tick_params(length=0, labelsize=7, colors=INK)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.legend(loc="lower right", bbox_to_anchor=(1, 0.13), fontsize=7, frameon=False)
    return figure


def _method(
    axes: Axes, rows: pd.DataFrame, shift: float, name: str, mark: str, colour: str
) -> None:
    places = [line + shift for line in range(len(rows))]
    ends = (rows["share_low"].to_numpy(float), rows["share_high"].to_numpy(float))
    axes.hlines(places, *ends, color=colour, linewidth=1)
    axes.plot(rows["share"], places, mark, color=colour, markersize=4, label=name)
    axes.plot(rows["share_other"], places, "|", color=QUIET, markersize=6)
