"""A concept in a part of the sampling steps (step injection) or of the latent frames (partial
frames), and the VLM's log-odds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
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
from transporter.figures.filmstrip import still_indices
from transporter.figures.sweeps import typical_seed
from transporter.figures.theme import COLOURS, MARGIN, METHODS, PAGE, QUIET, RULE, SOURCE, TARGET
from transporter.generation import trials
from transporter.generation.demonstrations import INDEX
from transporter.statistics.bootstrap import mean_interval
from transporter.support.errors import UserError
from transporter.support.files import read_table

HEAD, FOOT, LABEL, APART = 0.34, 0.24, 0.72, 0.16
"""Inches: words above, the axis below, the spans' names on the left, the space between two
concepts.
"""
PLOT, SEAM, ROW = 0.8, 0.025, 0.07
"""Inches: the plot of log-odds with the space before it, and what is between two stills across and
down.
"""
TALLEST = 0.8
STEPS = (
    "Step injection: the concept acts at φ\u00a0=\u00a01 in some of the {of} sampling steps (left),"
    " each column from one noise. Middle frames, of actions first, middle and last frame, of the"
    " clip whose log-odds with all steps are the median of {seeds} seeds. "
)
FRAMES = (
    "Partial frames: the concept acts at φ\u00a0=\u00a01 in some of the {of} latent frames (left;"
    " bars below the stills mark those that it acts in), each block from one noise. Frames of the"
    " clip whose log-odds with all frames are the median of {seeds} seeds. "
)
PLOTS = (
    "Plots: log-odds of the target word against the source word that {vlm} gives the decoded clips;"
    " grey: each seed, blue: their mean and its 95 % bootstrap interval, squares: the mean where"
    " the word is swapped instead."
)


@dataclass(frozen=True, order=True)
class Span:
    """The steps or latent frames from `first` to `last` of `of`, counted from 1; (0, 0) is none."""

    first: int
    last: int
    of: int

    def __str__(self) -> str:
        if not self.last:
            return "none"
        if (self.first, self.last) == (1, self.of):
            return f"all {self.of}"
        return f"{self.first}" if self.first == self.last else f"{self.first} to {self.last}"

    def holds(self, frame: int, frames: int) -> bool:
        """Whether video frame `frame` of `frames` is decoded from a latent frame of the span; the
        first has one of its own.
        """
        latent = ceil(frame * (self.of - 1) / max(1, frames - 1)) + 1
        return self.first <= latent <= self.last


@dataclass(frozen=True)
class Placement:
    """A concept, the clips `(T, C, H, W)` of one seed by span, and the readings of all seeds (seed,
    span, log_odds); `swapped` are those of the swapped word.
    """

    concept: Concept
    caption: str
    videos: Mapping[Span, torch.Tensor]
    readings: pd.DataFrame
    swapped: pd.DataFrame


@dataclass(frozen=True)
class Style:
    """How a figure of spans is drawn.

    Attributes:
        name: what spans are made of.
        caption: with the places `of` and `seeds`.
        frames: stills of a concept, by its kind.
        across: concepts side by side at most.
        marks: whether a bar stands below the stills that the concept acts in.
    """

    name: str
    caption: str
    frames: Mapping[str, int]
    across: int
    marks: bool = False


STYLES = {
    trials.INJECTION: Style("steps", STEPS, {"object": 1, "scene": 1, "action": 3}, across=3),
    trials.PARTIAL_FRAMES: Style(
        "latent frames",
        FRAMES,
        {"object": 5, "scene": 5, "action": 5},
        across=2,
        marks=True,
    ),
}


def draw(inputs: Mapping[str, Any], settings: Mapping[str, Any]) -> Drawing:
    """The figure from the folder `generated` and the table `concepts`.

    Settings: `figure`, one of `STYLES`, `vlm`, and `video`, the clips' frames, height and width.

    Raises:
        UserError: as `spans_figure` does.
    """
    style, folder = STYLES[settings["figure"]], Path(inputs["generated"])
    index = read_table(folder / "index.tsv", INDEX)
    index = index[index["figure"] == settings["figure"]]
    index = index.assign(span=index.apply(_span, axis=1))
    rows = []
    for concept in read_concepts(inputs["concepts"], index["concept"].unique().tolist()):
        readings = index[index["concept"] == concept.name]
        rows.append(_placement(concept, readings, folder, settings["video"]))
    caption = (style.caption + PLOTS).format(
        of=index["of"].iloc[0], seeds=index["seed"].nunique(), vlm=settings["vlm"]
    )
    if settings["figure"] == trials.INJECTION:
        caption += leading(rows)
    return Drawing(spans_figure(rows, style), caption)


def _span(row: pd.Series) -> Span:
    ends = (row["first"], row["last"]) if row["phi"] else (0, 0)
    return Span(*ends, row["of"])


def _placement(
    concept: Concept, readings: pd.DataFrame, folder: Path, shape: Mapping[str, int]
) -> Placement:
    """The clips of the seed that is typical where the concept acts everywhere."""
    readings, swapped = (
        readings[readings["method"] == method] for method in (trials.OURS, trials.SWAPPED)
    )
    of = readings["of"].iloc[0]
    everywhere = readings["span"] == Span(1, of, of)
    rows = readings[readings["seed"] == typical_seed(readings[everywhere])]
    videos = {
        row.span: read_video(folder / row.clip, **shape) for row in rows.itertuples(index=False)
    }
    return Placement(concept, rows["caption"].iloc[0], videos, readings, swapped)


def spans_figure(concepts: Sequence[Placement], style: Style) -> Figure:
    """Spans down in the order of the clips, concepts across.

    Raises:
        UserError: no concept, or concepts with different spans.
    """
    orders = {tuple(placement.videos) for placement in concepts}
    if len(orders) != 1:
        raise UserError(
            f"figure of {style.name}: expected concepts with the same spans, got"
            f" {len(concepts)} concepts"
        )
    [spans] = orders
    starts = range(0, len(concepts), style.across)
    lines = [concepts[start : start + style.across] for start in starts]
    size = _size(lines, style.frames)
    canvas = Canvas(PAGE, len(lines) * _high(spans, size))
    for number, line in enumerate(lines):
        top, x = number * _high(spans, size) + HEAD, MARGIN + LABEL
        _spans(canvas, spans, style.name, top, size[0])
        for placement in line:
            x = _concept(canvas, placement, (x, top), size, style) + APART
    return canvas.figure


def leading(concepts: Sequence[Placement]) -> str:
    """In which part alone a concept moves the VLM's answer furthest: one sentence for a caption."""
    parts = []
    for placement in concepts:
        odds = {}
        for span in placement.videos:
            if span.last and (span.first, span.last) != (1, span.of):
                own = placement.readings["span"] == span
                odds[span] = mean_interval(placement.readings.loc[own, "log_odds"])
        if odds:
            best = max(odds, key=lambda span: odds[span].value)
            parts.append(f"{placement.concept.target} {best} ({odds[best]})")
    return f" Highest mean of one part: {'; '.join(parts)}." if parts else ""


def _size(lines: Sequence[Sequence[Placement]], frames: Mapping[str, int]) -> tuple[float, float]:
    """Height and width of a still, so that the widest line fits on a page."""
    rows, columns = next(iter(lines[0][0].videos.values())).shape[-2:]
    wide = min(_wide(line, frames) for line in lines)
    tall = min(TALLEST, wide * rows / columns)
    return tall, tall * columns / rows


def _wide(line: Sequence[Placement], frames: Mapping[str, int]) -> float:
    """Width of a still that fills a line."""
    count = sum(frames[placement.concept.kind] for placement in line)
    rest = len(line) * (PLOT + APART - SEAM) - APART + SEAM * count
    return (PAGE - 2 * MARGIN - LABEL - rest) / count


def _high(spans: Sequence[Span], size: tuple[float, float]) -> float:
    return HEAD + len(spans) * (size[0] + ROW) - ROW + FOOT


def _concept(
    canvas: Canvas,
    placement: Placement,
    corner: tuple[float, float],
    size: tuple[float, float],
    style: Style,
) -> float:
    """Stills and plot of one concept with the top left at `corner`; returns the right end."""
    (x, top), (tall, wide), spans = corner, size, list(placement.videos)
    count = style.frames[placement.concept.kind]
    plot, high = x + count * (wide + SEAM) - SEAM + 0.1, len(spans) * (tall + ROW) - ROW
    right = plot + PLOT - 0.1
    _words(canvas, placement, x, plot - 0.1, top)
    for row, span in enumerate(spans):
        _stills(
            canvas,
            placement.videos[span],
            span if style.marks else None,
            (x, top + row * (tall + ROW)),
            size,
            count,
        )
    _odds(canvas.plot(plot, top, PLOT - 0.1, high), placement, spans, tall)
    canvas.text((plot + right) / 2, top - 0.08, "log-odds", ha="center", color=QUIET, size=6.5)
    return right


def _spans(canvas: Canvas, spans: Sequence[Span], name: str, top: float, tall: float) -> None:
    """The spans' names, each over a line whose part in colour is the span."""
    canvas.text(MARGIN, top - 0.08, name, color=QUIET, size=6.5)
    long = LABEL - 0.14
    for row, span in enumerate(spans):
        y = top + row * (tall + ROW) + tall / 2
        canvas.text(MARGIN, y - 0.02, str(span))
        canvas.bar(MARGIN, y + 0.05, long, 0.035, RULE)
        if span.last:
            canvas.bar(
                MARGIN + long * (span.first - 1) / span.of,
                y + 0.05,
                long * (span.last - span.first + 1) / span.of,
                0.035,
                TARGET,
            )


def _words(canvas: Canvas, placement: Placement, left: float, right: float, top: float) -> None:
    """Source and target word above the stills: one below the other where these are narrow."""
    source, target = placement.concept.source, placement.concept.target
    narrow = right - left < 0.09 * (len(source) + len(target)) + 0.2
    canvas.text(left, top - (0.19 if narrow else 0.08), source, weight="bold", color=SOURCE)
    word = f"→ {target}" if narrow else target
    canvas.text(
        left if narrow else right,
        top - 0.08,
        word,
        weight="bold",
        color=TARGET,
        ha="left" if narrow else "right",
    )
    if not narrow:
        start, end = (
            left + 0.075 * len(source) + 0.06,
            right - 0.075 * len(target) - 0.06,
        )
        canvas.arrow((start, top - 0.11), (end, top - 0.11))


def _stills(
    canvas: Canvas,
    video: torch.Tensor,
    mark: Span | None,
    corner: tuple[float, float],
    size: tuple[float, float],
    count: int,
) -> None:
    (left, top), (tall, wide) = corner, size
    places = still_indices(len(video), count) if count > 1 else [len(video) // 2]
    for number, place in enumerate(places):
        x = left + number * (wide + SEAM)
        canvas.picture(x, top, tall, video[place])
        if mark is not None and mark.holds(place, len(video)):
            canvas.bar(x, top + tall + 0.012, wide, 0.026, TARGET)


def _odds(axes: Axes, placement: Placement, spans: Sequence[Span], tall: float) -> None:
    """One line per span, beside its stills: every seed, their mean and its interval, and the mean
    of the swapped word.
    """
    _, mark, colour = METHODS[trials.SWAPPED]
    readings, words = placement.readings, placement.swapped.groupby("span")["log_odds"].mean()
    axes.axvline(0, color=QUIET, linewidth=0.5, linestyle=(0, (3, 2)))
    for row, span in enumerate(spans):
        values = readings.loc[readings["span"] == span, "log_odds"].to_numpy()
        interval, y = mean_interval(values), row * (tall + ROW) + tall / 2 + 0.05
        bars = np.maximum(0, [[interval.value - interval.low], [interval.high - interval.value]])
        axes.plot(
            values,
            np.full(len(values), y),
            "o",
            color=QUIET,
            alpha=0.35,
            markersize=2,
            markeredgewidth=0,
        )
        axes.errorbar(
            interval.value,
            y - 0.08,
            xerr=bars,
            fmt="o",
            color=COLOURS[0],
            markersize=3,
            elinewidth=1,
            capsize=1.5,
        )
        if span in words:
            axes.plot(words[span], y - 0.16, mark, color=colour, markersize=2.6)
    axes.set_ylim(len(spans) * (tall + ROW) - ROW, 0)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.locator_params(axis="x", nbins=4)
