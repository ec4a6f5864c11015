"""Several concepts at once: each alone, then all together, beside the VLM's log-odds of
every one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
from transporter.figures.sweeps import phi_headings, typical_seed
from transporter.figures.theme import COLOURS, GAP, MARGIN, PAGE, QUIET, TARGET
from transporter.generation.demonstrations import INDEX
from transporter.generation.trials import OURS, SEVERAL, SWAPPED
from transporter.statistics.bootstrap import mean_interval
from transporter.support.errors import UserError
from transporter.support.files import read_table

HEAD, LINE, BETWEEN, FOOT = 0.2, 0.18, 0.12, 0.26
"""Inches: the line of phi above all, a caption's line, the space between compositions, the axis
below.
"""
LABEL, AXIS, PLOT = 0.62, 0.36, 1.05
STILLS, CURVES = MARGIN + LABEL, PAGE - MARGIN - PLOT
"""Inches from the left at which the stills and the curves begin."""
MARKERS = ("o", "s", "^", "D")
CAPTION = (
    "Several modulations at once, π− + Σ φ q, each block from one noise. The words on the left act"
    " at the strength φ above; the others stay at 0. Middle frames of the clip whose final log-odds"
    " in the last row, averaged over the concepts, are the median of {seeds} seeds. Right: log-odds"
    " of each target word against its source word that {vlm} gives the decoded clips, their mean"
    " over the seeds and its 95 % bootstrap interval; dashed, the mean where words are swapped"
    " instead, as strongly."
)
Strengths = tuple[float, ...]


@dataclass(frozen=True)
class Composition:
    """Concepts, the clips `(T, C, H, W)` of one seed by their strengths, and the readings of all
    seeds; `swapped` are those of swapped words.

    Columns of readings: seed, strengths (a tuple, one of each concept), concept, log_odds.
    """

    concepts: Sequence[Concept]
    caption: str
    videos: Mapping[Strengths, torch.Tensor]
    readings: pd.DataFrame
    swapped: pd.DataFrame

    @property
    def phis(self) -> list[float]:
        return sorted({phi for strengths in self.videos for phi in strengths})

    def rows(self) -> list[tuple[bool, ...]]:
        """Which concepts act: each alone, then all."""
        count = len(self.concepts)
        alone = map(tuple, np.eye(count, dtype=bool).tolist())
        return [*alone, (True,) * count]


def draw(inputs: Mapping[str, Any], settings: Mapping[str, Any]) -> Drawing:
    """The figure from the folder `generated` and the table `concepts`.

    Settings: `vlm`, and `video`, the clips' frames, height and width.

    Raises:
        UserError: as `several_figure` does.
    """
    folder = Path(inputs["generated"])
    index = read_table(folder / "index.tsv", INDEX)
    index = index[index["figure"] == SEVERAL]
    index = index.assign(strengths=index["clip"].map(index.groupby("clip")["phi"].agg(tuple)))
    compositions = []
    for names, whole in index.groupby("concepts", sort=False):
        readings, swapped = (whole[whole["method"] == method] for method in (OURS, SWAPPED))
        rows = readings[readings["seed"] == joint_seed(readings)].drop_duplicates("clip")
        videos = {
            row.strengths: read_video(folder / row.clip, **settings["video"])
            for row in rows.itertuples(index=False)
        }
        concepts = read_concepts(inputs["concepts"], names.split("+"))
        compositions.append(
            Composition(concepts, rows["caption"].iloc[0], videos, readings, swapped)
        )
    caption = CAPTION.format(seeds=index["seed"].nunique(), vlm=settings["vlm"])
    return Drawing(several_figure(compositions), caption)


def at(acting: Sequence[bool], phi: float) -> Strengths:
    """The strengths of a row at phi."""
    return tuple(phi if acts else 0.0 for acts in acting)


def joint_seed(readings: pd.DataFrame) -> int:
    """The typical seed of the mean log-odds of all concepts, all at the largest phi."""
    most = readings["strengths"].map(min) == readings["strengths"].map(min).max()
    return typical_seed(
        readings[most].groupby("seed", as_index=False)["log_odds"].mean().assign(phi=1.0)
    )


def several_figure(compositions: Sequence[Composition]) -> Figure:
    """A block per composition; in it a row per concept and one of all, phi across, and the curves
    of log-odds.

    Raises:
        UserError: no composition.
    """
    if not compositions:
        raise UserError("figure of several concepts: expected at least one composition, got none")
    phis = compositions[0].phis
    column = (PAGE - 2 * MARGIN - LABEL - AXIS - PLOT + GAP) / len(phis)
    shape = next(iter(compositions[0].videos.values())).shape
    tall = (column - GAP) * shape[-2] / shape[-1]
    heights = [LINE + len(block.rows()) * (tall + GAP) - GAP for block in compositions]
    canvas = Canvas(PAGE, HEAD + sum(heights) + BETWEEN * (len(heights) - 1) + FOOT)
    phi_headings(canvas, phis, STILLS, column)
    canvas.text(CURVES + PLOT / 2, 0.14, "log-odds of the targets", ha="center", color=QUIET)
    for number, block in enumerate(compositions):
        y = HEAD + sum(heights[:number]) + BETWEEN * number + LINE
        _block(canvas, block, y, (tall, column), last=number == len(compositions) - 1)
    return canvas.figure


def _block(
    canvas: Canvas, composition: Composition, y: float, size: tuple[float, float], last: bool
) -> None:
    """One composition's rows from `y` down, words above; `size` is a still's height, and the way
    from one still to the next.
    """
    tall, rows = size[0], composition.rows()
    canvas.text(STILLS, y - 0.06, composition.caption, color=QUIET, size=6, style="italic")
    _legend(canvas, composition, CURVES, y - 0.06)
    for number, acting in enumerate(rows):
        top = y + number * (tall + GAP)
        _label(canvas, composition, acting, top + tall / 2)
        _stills(canvas, composition, acting, top, size)
        plot = canvas.plot(CURVES, top + 0.03, PLOT, tall - 0.06)
        _curves(plot, composition, acting, last and number == len(rows) - 1)


def _stills(
    canvas: Canvas,
    composition: Composition,
    acting: Sequence[bool],
    top: float,
    size: tuple[float, float],
) -> None:
    """The middle frames of one row's clips."""
    tall, column = size
    for number, phi in enumerate(composition.phis):
        video = composition.videos[at(acting, phi)]
        canvas.picture(STILLS + number * column, top, tall, video[len(video) // 2])


def _label(canvas: Canvas, composition: Composition, acting: Sequence[bool], middle: float) -> None:
    """The target words that act, one below another."""
    words = [
        concept.target for concept, acts in zip(composition.concepts, acting, strict=True) if acts
    ]
    for number, word in enumerate(words):
        sign = "" if number == 0 else "+ "
        canvas.text(
            MARGIN,
            middle + (number - (len(words) - 1) / 2) * 0.13,
            sign + word,
            va="center",
            weight="bold",
            color=TARGET,
        )


def _legend(canvas: Canvas, composition: Composition, left: float, y: float) -> None:
    step = PLOT / len(composition.concepts)
    for number, concept in enumerate(composition.concepts):
        x = left + number * step
        canvas.axes.plot(
            x + 0.04,
            y - 0.03,
            MARKERS[number % 4],
            color=COLOURS[number],
            markersize=2.6,
            clip_on=False,
        )
        canvas.text(x + 0.1, y, concept.target, size=6, color=COLOURS[number])


def _curves(axes: Axes, composition: Composition, acting: Sequence[bool], last: bool) -> None:
    """Every concept's mean log-odds over phi in one row, and its interval; and those of swapped
    words, which begin at the same clips.
    """
    axes.axhline(0, color=QUIET, linewidth=0.5, linestyle=(0, (3, 2)))
    readings = composition.readings
    for number, concept in enumerate(composition.concepts):
        own = readings[readings["concept"] == concept.name].groupby("strengths")["log_odds"]
        intervals = [
            mean_interval(own.get_group(at(acting, phi)).to_numpy()) for phi in composition.phis
        ]
        ends = np.array([(interval.low, interval.high) for interval in intervals]).T
        axes.fill_between(composition.phis, *ends, color=COLOURS[number], alpha=0.2, linewidth=0)
        values = [interval.value for interval in intervals]
        axes.plot(
            composition.phis,
            values,
            color=COLOURS[number],
            marker=MARKERS[number % 4],
            markersize=2.2,
            linewidth=1,
        )
        words = composition.swapped[composition.swapped["concept"] == concept.name]
        mean = words.groupby("strengths")["log_odds"].mean()
        beyond = [mean[at(acting, phi)] for phi in composition.phis[1:]]
        dashed = [values[0], *beyond]
        axes.plot(composition.phis, dashed, "--", color=COLOURS[number], linewidth=0.8)
    both = pd.concat([readings, composition.swapped])
    low, high = both["log_odds"].min(), both["log_odds"].max()
    axes.set_ylim(low - 0.05 * (high - low), high + 0.05 * (high - low))
    axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"] if last else [])
    axes.locator_params(axis="y", nbins=4)
    if last:
        axes.set_xlabel("φ", labelpad=0, size=7)
