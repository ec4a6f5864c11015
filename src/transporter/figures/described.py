"""Where and when clips change: for each method a map of the places and a curve over the frames."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from transporter.figures.theme import DPI, INK, MAP, QUIET, SCREEN, SILENT
from transporter.metrics.description import Description
from transporter.support.files import written_whole

WIDTH, LETTERS = 1.5, 26
"""Inches of a method's column, and letters in a line of its sentence."""


def described_figure(descriptions: Mapping[str, Description], path: Path) -> None:
    """Draw the descriptions of methods, by name, side by side; all maps have one scale, and so have
    all curves. Without any the picture is empty.
    """
    with rc_context(SCREEN), written_whole(path) as partial:
        figure = Figure(figsize=(WIDTH * max(1, len(descriptions)), 3.2), layout="constrained")
        FigureCanvasAgg(figure)
        if descriptions:
            _draw(figure, descriptions)
        form, silent = path.suffix.removeprefix("."), SILENT.get(path.suffix)
        figure.savefig(partial, format=form, dpi=DPI, metadata=silent)


def _draw(figure: Figure, descriptions: Mapping[str, Description]) -> None:
    places, frames, words = figure.subplots(
        3, len(descriptions), squeeze=False, height_ratios=(3, 1, 2)
    )
    found = descriptions.values()
    most = max(float(one.places.max()) for one in found) or 1.0
    highest = max(float(one.frames.max()) for one in found) or 1.0
    for column, (method, one) in enumerate(descriptions.items()):
        shown = places[column].imshow(one.places.numpy(), cmap=MAP, vmin=0, vmax=most)
        places[column].set_title(method.replace("_", " "), fontsize=7, color=INK)
        places[column].set_axis_off()
        _curve(frames[column], one, highest)
        words[column].set_axis_off()
        text = textwrap.fill(one.sentence(), LETTERS)
        words[column].text(0.5, 1, text, ha="center", va="top", fontsize=5, color=QUIET)
    bar = figure.colorbar(shown, ax=places[-1], fraction=0.05)
    bar.ax.tick_params(labelsize=5, length=0)
    bar.outline.set_visible(False)


def _curve(axes: Axes, one: Description, highest: float) -> None:
    axes.fill_between(range(len(one.frames)), one.frames.numpy(), color=QUIET, linewidth=0)
    axes.set_xlim(0, max(1, len(one.frames) - 1))
    axes.set_ylim(0, 1.05 * highest)
    axes.set_xticks([0, len(one.frames) - 1], ["first", "last"], fontsize=5)
    axes.tick_params(length=0, labelsize=5, colors=QUIET)
    axes.spines[["top", "right", "left"]].set_visible(False)
