"""Sweeps of phi for several concepts, each beside the log-odds that the VLM gives them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from transporter.clips.contrast import Concept, read_concepts
from transporter.clips.reading import read_video
from transporter.figures.canvas import Canvas
from transporter.figures.exhibit import Drawing
from transporter.figures.filmstrip import stills
from transporter.figures.theme import COLOURS, GAP, MARGIN, METHODS, PAGE, QUIET
from transporter.statistics.bootstrap import mean_interval
from transporter.support.errors import UserError
from transporter.support.files import read_table

LINE, BETWEEN, HEAD, FOOT = 0.17, 0.1, 0.2, 0.28
"""Inches: a row's words, the space between rows, the line of phi above all, the axis below."""
PLOT, AXIS = 1.1, 0.4
"""Least width of the curve, and that of its labels."""
SEAM = 0.025
FRAMES = {"action": 3}
"""Kinds of concepts that need several frames, one below another."""
SHARES = {"action": 0.72}
"""Width of such frames as a share of the others', so that four concepts fit on a page; the curve
takes what is left.
"""
WHAT = {
    "object": "The middle frame of each clip is shown.",
    "action": "First, middle and last frame of each clip stand one below another.",
    "scene": "The middle frame of each clip is shown.",
}
CAPTION = (
    "Sweeps of the concept strength φ, each from one noise. {what} Above each row stands its"
    " caption for φ\u00a0=\u00a00; the clip is the one whose final log-odds are the median of"
    " {seeds} seeds. Right: log-odds of the target word against the source word that {vlm} gives"
    " the decoded clips; grey: each seed, blue: their mean and its 95 % bootstrap interval{beside}."
)
BESIDE = {
    "prompt_interpolation": "; squares: the mean of the swapped word, scaled",
    "random": "; triangles: of a random direction",
}


COLUMNS = ("concept", "method", "caption", "seed", "stop", "phi", "clip", "log_odds")


@dataclass(frozen=True)
class Sweep:
    """One concept's row: the clips `(T, C, H, W)` of one seed by phi, and the readings of all seeds
    (seed, stop, phi, log_odds), those of controls by their name in `METHODS`.
    """

    concept: Concept
    caption: str
    videos: Mapping[float, torch.Tensor]
    readings: pd.DataFrame
    controls: Mapping[str, pd.DataFrame] = field(default_factory=dict)


def draw(inputs: Mapping[str, Any], settings: Mapping[str, Any]) -> Drawing:
    """The figure from the table `readings`, the folders `generated`, one of each concept, and the
    table `concepts`.

    Settings: `names` of the concepts, `vlm`, and `video`, the clips' frames, height and width.

    Raises:
        UserError: as `sweeps_figure` does.
    """
    controls = dict(list(read_table(inputs["readings"], COLUMNS).groupby("method")))
    readings = controls.pop("transporter")
    concepts = read_concepts(inputs["concepts"], settings["names"])
    sweeps = []
    for concept, folder in zip(concepts, map(Path, inputs["generated"]), strict=True):
        rows = readings[readings["concept"] == concept.name]
        example = rows[rows["seed"] == typical_seed(rows)]
        videos = {
            row.phi: read_video(folder / row.clip, **settings["video"])
            for row in example.itertuples(index=False)
        }
        beside = {name: some[some["concept"] == concept.name] for name, some in controls.items()}
        sweeps.append(Sweep(concept, example["caption"].iloc[0], videos, rows, beside))
    kind, seeds = sweeps[0].concept.kind, readings["seed"].nunique()
    words = {"what": WHAT[kind], "seeds": seeds, "vlm": settings["vlm"]}
    caption = CAPTION.format(**words, beside="".join(BESIDE[name] for name in controls))
    return Drawing(sweeps_figure(sweeps), caption)


def typical_seed(readings: pd.DataFrame) -> int:
    """The seed whose log-odds at the largest phi are the (lower) median of all seeds.

    Raises:
        UserError: no readings.
    """
    last = readings[readings["phi"] == readings["phi"].max()].sort_values(["log_odds", "seed"])
    if last.empty:
        raise UserError("figure of sweeps: expected readings of at least one seed, got none")
    return int(last["seed"].iloc[(len(last) - 1) // 2])


def sweeps_figure(sweeps: Sequence[Sweep]) -> Figure:
    """One row per concept: stills from phi = 0 to 1 and the VLM's log-odds.

    Raises:
        UserError: no sweep.
    """
    if not sweeps:
        raise UserError("figure of sweeps: expected at least one concept, got none")
    grid = _grid(sweeps)
    row = LINE + grid.tall + BETWEEN
    canvas = Canvas(PAGE, HEAD + len(sweeps) * row - BETWEEN + FOOT)
    shared = len({tuple(sorted(sweep.videos)) for sweep in sweeps}) == 1
    if shared:
        phi_headings(canvas, sorted(sweeps[0].videos), MARGIN, grid.column)
    for number, sweep in enumerate(sweeps):
        y = HEAD + number * row + LINE
        _stills(canvas, sweep, grid, y)
        if not shared:
            _strengths(canvas, sweep, grid, y)
        _words(canvas, sweep, grid.right, y - 0.05)
        plot = canvas.plot(grid.right + AXIS, y, grid.plot, grid.tall)
        _controls(plot, sweep.controls)
        _curve(plot, sweep.readings, last=number == len(sweeps) - 1)
    middle = grid.right + AXIS + grid.plot / 2
    canvas.text(middle, 0.14, "log-odds of the target", ha="center", color=QUIET)
    return canvas.figure


def phi_headings(canvas: Canvas, phis: Sequence[float], left: float, column: float) -> None:
    """The values of phi above columns of stills, the first of which begins at `left`."""
    for number, phi in enumerate(phis):
        x = left + number * column + (column - GAP) / 2
        canvas.text(x, 0.14, f"φ = {phi:g}", ha="center", color=QUIET)


@dataclass(frozen=True)
class _Grid:
    """Where stills and curves stand, in inches.

    Attributes:
        columns: of stills.
        column: from the left of a still to the left of the next.
        tall: the stills of a row, one below another.
    """

    columns: int
    column: float
    tall: float

    @property
    def right(self) -> float:
        """Where the stills end."""
        return MARGIN + self.columns * self.column - GAP

    @property
    def plot(self) -> float:
        """Width of the curves."""
        return PAGE - MARGIN - self.right - AXIS


def _grid(sweeps: Sequence[Sweep]) -> _Grid:
    """The widest stills that leave the curves their place."""
    columns = max(len(sweep.videos) for sweep in sweeps)
    share = min(SHARES.get(sweep.concept.kind, 1.0) for sweep in sweeps)
    column = share * (PAGE - 2 * MARGIN - PLOT - AXIS + GAP) / columns
    tall = max(_tall(sweep, column - GAP) for sweep in sweeps)
    return _Grid(columns, column, tall)


def _tall(sweep: Sweep, width: float) -> float:
    count = FRAMES.get(sweep.concept.kind, 1)
    rows, columns = next(iter(sweep.videos.values())).shape[-2:]
    return count * width * rows / columns + (count - 1) * SEAM


def _stills(canvas: Canvas, sweep: Sweep, grid: _Grid, y: float) -> None:
    count = FRAMES.get(sweep.concept.kind, 1)
    for number, (_, video) in enumerate(sorted(sweep.videos.items())):
        height = (grid.column - GAP) * video.shape[-2] / video.shape[-1]
        images = stills(video, count) if count > 1 else video[None, len(video) // 2]
        x = MARGIN + number * grid.column
        for below, image in enumerate(images):
            canvas.picture(x, y + below * (height + SEAM), height, image)


def _strengths(canvas: Canvas, sweep: Sweep, grid: _Grid, y: float) -> None:
    """Phi in the first still of each column, where the strengths are the clip's own."""
    label = {"facecolor": "white", "alpha": 0.8, "linewidth": 0, "pad": 0.8}
    for number, phi in enumerate(sorted(sweep.videos)):
        x = MARGIN + number * grid.column
        canvas.text(x + 0.03, y + 0.1, f"φ = {phi:g}", color=QUIET, size=5.5, bbox=label)


def _words(canvas: Canvas, sweep: Sweep, right: float, y: float) -> None:
    """Source word, caption and target word above a row."""
    canvas.words(MARGIN, right, y, sweep.concept.source, sweep.concept.target)
    middle = (MARGIN + right) / 2
    canvas.text(middle, y, sweep.caption, ha="center", color=QUIET, size=6, style="italic")


def _controls(axes: Axes, controls: Mapping[str, pd.DataFrame]) -> None:
    """The mean log-odds of each control over its mean strength."""
    for name, readings in controls.items():
        _, mark, colour = METHODS[name]
        means = readings.groupby("stop")[["phi", "log_odds"]].mean()
        style = {"color": colour, "marker": mark, "markersize": 2, "linewidth": 0.7}
        axes.plot(means["phi"], means["log_odds"], **style)


def _curve(axes: Axes, readings: pd.DataFrame, last: bool) -> None:
    """Every seed's log-odds over phi, and at each stop their mean and its interval."""
    by_seed = readings.pivot(index="stop", columns="seed", values="log_odds").sort_index()
    # (stops, seeds)
    own = readings.pivot(index="stop", columns="seed", values="phi").sort_index().to_numpy()
    phi = own.mean(axis=1)
    intervals = [mean_interval(values) for values in by_seed.to_numpy()]
    axes.axhline(0, color=QUIET, linewidth=0.5, linestyle=(0, (3, 2)))
    axes.plot(own, by_seed.to_numpy(), color=QUIET, alpha=0.35, linewidth=0.5)
    axes.fill_between(
        phi,
        *np.array([(i.low, i.high) for i in intervals]).T,
        color=COLOURS[0],
        alpha=0.2,
        linewidth=0,
    )
    axes.plot(phi, [i.value for i in intervals], color=COLOURS[0], marker="o", markersize=2.2)
    axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"] if last else [])
    axes.locator_params(axis="y", nbins=4)
    if last:
        axes.set_xlabel("φ", labelpad=0, size=7)
