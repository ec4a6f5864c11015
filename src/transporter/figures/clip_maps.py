"""One clip and the maps of its words by several readings, frame by frame, as papers show them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure

from transporter.figures.overlay import over_frames
from transporter.figures.theme import DPI, MAP, PAGE, PAPER, QUIET, SILENT
from transporter.support.files import written_whole

LEFT, RIGHT, ABOVE, BELOW = 1.15, 0.5, 0.34, 0.04
"""Inches beside the pictures: names of readings, the scale, words, nothing."""
CLIP, MASK = "the clip", "where it is"
Picture = tuple[torch.Tensor, Mapping[str, Any]]
GAP, APART = 0.06, 0.012
"""Between two words, and between two frames, in inches."""


def clip_maps_figure(
    video: torch.Tensor,
    words: Sequence[str],
    masks: torch.Tensor,
    maps: Mapping[str, torch.Tensor],
    paths: Sequence[Path],
) -> None:
    """Draw a row for the clip `(T, 3, H, W)` in [0, 1], one for where its K words are, and one for
    each reading; a column for each latent frame of each word.

    A map's colours go from its least to its highest value in the clip, of every word and reading by
    themselves. The form of each picture follows from its name (`.pdf`, `.png`).

    Args:
        masks: where the words are, `(K, T, H, W)` bool.
        maps: by reading, `(K, F, h, w)`.
    """
    with rc_context(PAPER):
        figure = _draw(video, words, masks, maps)
        for path in paths:
            with written_whole(path) as partial:
                form, silent = path.suffix.removeprefix("."), SILENT.get(path.suffix)
                figure.savefig(partial, format=form, dpi=DPI, metadata=silent)


@dataclass(frozen=True)
class _Page:
    """Where things lie on a figure of so many rows, words and latent frames, in shares of it."""

    rows: int
    words: int
    latent: int
    aspect: float
    """Height of a frame by its width."""

    @property
    def side(self) -> float:
        """Width of a frame, in inches."""
        return (PAGE - LEFT - RIGHT - GAP * (self.words - 1)) / (self.words * self.latent)

    @property
    def height(self) -> float:
        """Of the figure, in inches."""
        return ABOVE + BELOW + self.side * self.aspect * self.rows

    def box(self, row: int, word: int, column: int) -> tuple[float, float, float, float]:
        """Left, bottom, width and height of a frame."""
        tall = self.side * self.aspect
        left = LEFT + word * (self.latent * self.side + GAP) + column * self.side
        bottom = BELOW + tall * (self.rows - 1 - row)
        size = (self.side - APART) / PAGE, (tall - APART) / self.height
        return left / PAGE, bottom / self.height, *size

    def scale(self, rows: int) -> tuple[float, float, float, float]:
        """The same of the scale beside the last rows."""
        tall = self.side * self.aspect * rows
        left = PAGE - RIGHT + 0.08
        return left / PAGE, BELOW / self.height, 0.08 / PAGE, tall / self.height


def _draw(
    video: torch.Tensor,
    words: Sequence[str],
    masks: torch.Tensor,
    maps: Mapping[str, torch.Tensor],
) -> Figure:
    names = [CLIP, MASK, *maps]
    latent = next(iter(maps.values())).shape[1]
    page = _Page(len(names), len(words), latent, video.shape[2] / video.shape[3])
    figure = Figure(figsize=(PAGE, page.height))
    FigureCanvasAgg(figure)
    for row, name in enumerate(names):
        left, bottom, _, tall = page.box(row, 0, 0)
        figure.text(left - 0.06 / PAGE, bottom + tall / 2, name, ha="right", va="center")
        for number in range(len(words)):
            for column, picture in enumerate(_row(name, number, video, masks, maps)):
                _picture(figure.add_axes(page.box(row, number, column)), *picture)
    for number, word in enumerate(words):
        middle = page.box(0, number, 0)[0] + latent * page.side / 2 / PAGE
        top = 1 - 0.6 * ABOVE / page.height
        figure.text(middle, top, word, ha="center", va="center", style="italic")
    _scale(figure.add_axes(page.scale(len(maps))))
    return figure


def _row(
    name: str,
    number: int,
    video: torch.Tensor,
    masks: torch.Tensor,
    maps: Mapping[str, torch.Tensor],
) -> list[Picture]:
    """What a row shows of one of the words in every latent frame, and how it is drawn."""
    shown = _last_frames(next(iter(maps.values())).shape[1], len(video))
    if name == CLIP:
        return [(frame.permute(1, 2, 0).clamp(0, 1), {}) for frame in video[shown]]
    if name == MASK:
        return [(mask, {"cmap": "gray", "vmin": 0, "vmax": 1.2}) for mask in masks[number, shown]]
    found = maps[name][number]
    low, high = (float(end) for end in found.aminmax())
    style = {"cmap": MAP, "vmin": low, "vmax": high, "interpolation": "bilinear"}
    return [(frame, style) for frame in found]


def _last_frames(latent: int, frames: int) -> list[int]:
    """The last frame that each latent frame stands for."""
    index = over_frames(torch.arange(latent), frames)
    return [int((index == one).nonzero()[-1]) for one in range(latent)]


def _picture(axes: Axes, values: torch.Tensor, style: Mapping[str, Any]) -> None:
    height, width = values.shape[:2]
    axes.imshow(values.numpy(), aspect="auto", extent=(0, width, height, 0), **style)
    axes.set_axis_off()


def _scale(axes: Axes) -> None:
    bar = axes.figure.colorbar(ScalarMappable(cmap=MAP), cax=axes, ticks=[0, 1])
    bar.ax.set_yticklabels(["least", "most"], fontsize=6, color=QUIET)
    bar.ax.tick_params(length=0)
    bar.outline.set_visible(False)
