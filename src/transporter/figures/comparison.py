"""What each method shows for a target word: the VLM inverted into clips, and TRANSPORTER at phi =
1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from matplotlib.figure import Figure

from transporter.clips.contrast import Concept
from transporter.figures.canvas import GAP, MARGIN, Canvas
from transporter.figures.exhibit import PAGE
from transporter.figures.filmstrip import QUIET, TARGET
from transporter.support.errors import UserError

HEAD, LABEL = 0.34, 0.62
NAMES = {
    "activation_maximisation": "AM",
    "gradvit": "GradViT",
    "maco": "MACO",
    "leaps": "LEAPS",
    "transporter": "TRANSPORTER",
    "w": "ω+",
    "w_dw": "ω+ + dω",
    "phi": "φ = 1",
}
CAPTION = (
    "The target word (left) as each method shows it, for {vlm}: activation maximisation of ω+, the"
    " target word's log-probability, or of ω+ + dω, that and its difference to the source word's,"
    " and TRANSPORTER at φ\u00a0=\u00a01. Middle frames of the first seed."
)
Key = tuple[str, str]
"""A method and what it maximises."""


@dataclass(frozen=True)
class Row:
    """One concept, and the clip `(T, C, H, W)` of every method."""

    concept: Concept
    videos: Mapping[Key, torch.Tensor]


def comparison_figure(rows: Sequence[Row]) -> Figure:
    """A grid: concepts down, methods across in the order of the first row; all rows have the same
    methods.

    Raises:
        UserError: no row, or rows of different methods.
    """
    if not rows or any(set(row.videos) != set(rows[0].videos) for row in rows):
        raise UserError(
            f"figure of the comparison: expected rows with the same methods, got {len(rows)} rows"
        )
    methods = list(rows[0].videos)
    column = min(1.2, (PAGE - 2 * MARGIN - LABEL + GAP) / len(methods))
    shape = rows[0].videos[methods[0]].shape
    tall = (column - GAP) * shape[-2] / shape[-1]
    canvas = Canvas(PAGE, HEAD + len(rows) * (tall + GAP) + 0.06)
    for number, (method, target) in enumerate(methods):
        x = MARGIN + LABEL + number * column + (column - GAP) / 2
        canvas.text(x, 0.14, NAMES.get(method, method), ha="center")
        canvas.text(x, 0.27, NAMES.get(target, target), ha="center", color=QUIET, size=6)
    for number, row in enumerate(rows):
        y = HEAD + number * (tall + GAP)
        canvas.text(
            MARGIN, y + tall / 2, row.concept.target, va="center", weight="bold", color=TARGET
        )
        for place, method in enumerate(methods):
            video = row.videos[method]
            canvas.picture(MARGIN + LABEL + place * column, y, tall, video[len(video) // 2])
    return canvas.figure
