"""What each method shows for a target word: the VLM inverted into clips, and TRANSPORTER at phi =
1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure

from transporter.clips.contrast import Concept, read_concepts
from transporter.clips.reading import read_video
from transporter.figures.canvas import Canvas
from transporter.figures.exhibit import Drawing
from transporter.figures.theme import GAP, MARGIN, METHODS, PAGE, QUIET, TARGET
from transporter.support.errors import UserError
from transporter.support.files import read_table

HEAD, LABEL = 0.34, 0.62
NAMES = {
    "activation_maximisation": "AM",
    "gradvit": "GradViT",
    "maco": "MACO",
    "leaps": "LEAPS",
    "transporter": "TRANSPORTER",
    "prompt_interpolation": METHODS["prompt_interpolation"][0],
    "random": "random",
    "w": "ω+",
    "w_dw": "ω+ + dω",
    "phi": "φ = 1",
}
CAPTION = (
    "The target word (left) as each method shows it, for {vlm}: activation maximisation of ω+, the"
    " target word's log-probability, or of ω+ + dω, that and its difference to the source word's,"
    " and TRANSPORTER at φ\u00a0=\u00a01 beside the word swapped in its caption and a random"
    " direction. Middle frames of the first seed."
)
Key = tuple[str, str]
"""A method and what it maximises."""


@dataclass(frozen=True)
class Row:
    """One concept, and the clip `(T, C, H, W)` of every method."""

    concept: Concept
    videos: Mapping[Key, torch.Tensor]


def draw(inputs: Mapping[str, Any], settings: Mapping[str, Any]) -> Drawing:
    """The figure from the folders `inverted` and `generated`, and the table `concepts`.

    Settings: `names` of the concepts, `vlm`, and `video`, the clips' frames, height and width.

    Raises:
        UserError: as `comparison_figure` does.
    """
    folders = [Path(folder) for folder in (*inputs["inverted"], *inputs["generated"])]
    rows = []
    for concept in read_concepts(inputs["concepts"], settings["names"]):
        own = [folder for folder in folders if folder.name == concept.name]
        *inverted, generated = own
        videos = {folder.parts[-3:-1]: _inverted(folder, settings["video"]) for folder in inverted}
        rows.append(Row(concept, {**videos, **_generated(generated, settings["video"])}))
    return Drawing(comparison_figure(rows), CAPTION.format(vlm=settings["vlm"]))


def _inverted(folder: Path, shape: Mapping[str, int]) -> torch.Tensor:
    """The clip `(T, C, H, W)` of the first seed."""
    index = read_table(folder / "index.tsv", ("seed", "clip"))
    return read_video(folder / index.sort_values("seed")["clip"].iloc[0], **shape)


def _generated(folder: Path, shape: Mapping[str, int]) -> dict[Key, torch.Tensor]:
    """The clip of the first seed at phi = 1 of every method that there is."""
    index = read_table(folder / "index.tsv", ("method", "seed", "phi", "clip"))
    ends = index[index["phi"] == 1].sort_values("seed").drop_duplicates("method")
    clips = ends.set_index("method")["clip"]
    found = [method for method in METHODS if method in clips]
    return {(method, "phi"): read_video(folder / clips[method], **shape) for method in found}


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
        canvas.text(x, 0.14, NAMES.get(method, method), ha="center", size=6)
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
