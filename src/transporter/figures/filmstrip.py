"""Still pictures of videos: a sweep of phi as a filmstrip, and contact sheets for model cards."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from transporter.figures.theme import DPI, FAILED, INK, QUIET, SCREEN, SILENT, SOURCE, TARGET
from transporter.support.errors import UserError
from transporter.support.files import written_whole

CELL = 256
"""Height of one frame in pixels: 64 pixels are drawn exactly four times as large."""
GAP = 12
SEAM = 2
"""Pixels of white between the stills of a contact sheet, before they are scaled."""


def filmstrip(
    videos: Mapping[float, torch.Tensor],
    path: Path,
    title: str,
    words: tuple[str, str] | None = None,
    frames: int = 5,
    fps: float | None = None,
    answers: Mapping[float, str] | None = None,
) -> None:
    """Draw videos `(T, C, H, W)` in [0, 1] of one sweep as a PNG: phi across (in the order of the
    values), time down.

    `words` (source, target) stand above the two ends, `answers` (what a VLM says, for each value of
    phi) below the columns; with `fps` the rows are labelled in seconds, else by frame number.

    Raises:
        UserError: no video, or videos of different shapes.
    """
    total, _, height, width = _common_shape(videos, path)
    phis, times = sorted(videos), still_indices(total, frames)
    sheet = _Sheet(
        len(times),
        len(phis),
        (CELL, round(CELL * width / height)),
        left=104,
        top=156 if words else 124,
        margin=16,
        gaps=(GAP, GAP),
        foot=52 if answers else 0,
    )
    for column, phi in enumerate(phis):
        _column(sheet, column, phi, stills(videos[phi], frames))
        if answers:
            colour = TARGET if words and answers[phi].startswith(words[1]) else SOURCE
            _answer(sheet, column, answers[phi], colour)
    for row, index in enumerate(times):
        _time(sheet, row, f"{index / fps:.2f} s" if fps else f"{index}")
    if words:
        _ends(sheet, len(phis) - 1, *words)
    sheet.text(sheet.left, 48, title, size=10)
    sheet.write(path)


def _common_shape(videos: Mapping[float, torch.Tensor], path: Path) -> tuple[int, ...]:
    """The shape (T, C, H, W) that all videos of a filmstrip have."""
    shapes = sorted({tuple(video.shape) for video in videos.values()})
    if len(shapes) != 1:
        raise UserError(
            f"filmstrip {path}: expected at least one video and one shape (T, C, H, W), got"
            f" {shapes or 'none'}"
        )
    return shapes[0]


def _column(sheet: _Sheet, column: int, phi: float, images: torch.Tensor) -> None:
    """One video's stills `(frames, C, H, W)` below one another, phi above."""
    for row, image in enumerate(images):
        sheet.picture(row, column, image)
    sheet.text(sheet.middle(column), sheet.top - 20, f"φ = {phi:g}", ha="center", size=8.5)


def _answer(sheet: _Sheet, column: int, answer: str, colour: str) -> None:
    """What a VLM says of one video, below its stills."""
    y = sheet.y(sheet.rows) + 28
    sheet.text(sheet.middle(column), y, answer, ha="center", color=colour, size=8.5)


def _time(sheet: _Sheet, row: int, label: str) -> None:
    """When a row's stills are, on its left."""
    x, y = sheet.left - 16, sheet.y(row) + CELL / 2
    sheet.text(x, y, label, ha="right", va="center", color=QUIET, size=7)


def _ends(sheet: _Sheet, last: int, source: str, target: str) -> None:
    """Source and target word above the first and the last column, and an arrow between them."""
    start, end = sheet.middle(0), sheet.middle(last)
    for x, word, colour in ((start, source, SOURCE), (end, target, TARGET)):
        sheet.text(x, sheet.top - 54, word, ha="center", color=colour, weight="bold", size=9)
    half = sheet.cell[1] / 2
    sheet.arrow(start + half, end - half, sheet.top - 62)


def contact_sheet(
    videos: Sequence[torch.Tensor],
    titles: Sequence[str],
    path: Path,
    failures: Sequence[bool] | None = None,
    frames: int = 5,
    columns: int = 2,
) -> None:
    """Draw clips `(T, C, H, W)` in [0, 1] as a PNG: each a row of `frames` stills under its title,
    `failures` marked in vermilion.

    Raises:
        UserError: no video, or not one title (and mark) per video.
    """
    failures = [False] * len(videos) if failures is None else failures
    if not len(videos) == len(titles) == len(failures) > 0:
        counts = f"{len(videos)} videos, {len(titles)} titles, {len(failures)} marks"
        raise UserError(
            f"contact sheet {path}: expected at least one video, one title and mark for each, got"
            f" {counts}"
        )
    strips = [_strip(video, frames) for video in videos]
    height = CELL // 2
    width = max(round(height * strip.shape[-1] / strip.shape[-2]) for strip in strips)
    rows = -(-len(videos) // columns)
    sheet = _Sheet(rows, columns, (height, width), left=32, top=64, margin=32, gaps=(68, 64))
    for number, (strip, title, failure) in enumerate(zip(strips, titles, failures, strict=True)):
        row, column = divmod(number, columns)
        sheet.picture(row, column, strip, edge=FAILED if failure else None)
        _title(sheet, row, column, title, failure)
    sheet.write(path)


def _strip(video: torch.Tensor, frames: int) -> torch.Tensor:
    """Stills of a video `(T, C, H, W)` side by side, white seams between them: `(C, H, W')`."""
    # (frames, C, H, W) -> (frames, C, H, W + SEAM)
    padded = F.pad(stills(video, frames), (0, SEAM), value=1.0)
    return torch.cat(list(padded), dim=-1)[..., :-SEAM]


def _title(sheet: _Sheet, row: int, column: int, title: str, failure: bool) -> None:
    """A clip's title above its strip, in at most two lines."""
    label, colour = (f"✕ {title}", FAILED) if failure else (title, INK)
    lines = textwrap.wrap(label, round(sheet.cell[1] / 9.6), max_lines=2, placeholder=" …")
    x, y = sheet.x(column), sheet.y(row) - 12
    sheet.text(x, y, "\n".join(lines), color=colour, size=6.5, linespacing=1.1)


def still_indices(total: int, frames: int) -> list[int]:
    """Up to `frames` frame numbers, evenly spaced from the first to the last."""
    return sorted(set(np.linspace(0, total - 1, min(frames, total)).round().astype(int).tolist()))


def stills(video: torch.Tensor, frames: int) -> torch.Tensor:
    """The frames `(frames, C, H, W)` of a video `(T, C, H, W)` at `still_indices`."""
    return video[still_indices(len(video), frames)].detach().float().cpu().clamp(0, 1)


def _scale(image: torch.Tensor, height: int) -> torch.Tensor:
    """An image `(C, H, W)` at another height: whole pixels where that is a multiple of its own,
    else interpolated.
    """
    times, rest = divmod(height, image.shape[-2])
    if times and not rest:
        return image.repeat_interleave(times, -2).repeat_interleave(times, -1)
    size = (height, round(height * image.shape[-1] / image.shape[-2]))
    return F.interpolate(
        image[None], size=size, mode="bicubic", antialias=True, align_corners=False
    )[0].clamp(0, 1)


class _Sheet:
    """A grid of pictures and the words around it, laid out in pixels from the top left; `cell` and
    `gaps` are (height, width).
    """

    def __init__(
        self,
        rows: int,
        columns: int,
        cell: tuple[int, int],
        left: int,
        top: int,
        margin: int,
        gaps: tuple[int, int],
        foot: int = 0,
    ) -> None:
        self.rows, self.left, self.top, self.cell, self.gaps = rows, left, top, cell, gaps
        width, height = self.x(columns) - gaps[1] + margin, self.y(rows) - gaps[0] + margin + foot
        self.canvas = np.ones((height, width, 3), np.float32)
        self.figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI)
        FigureCanvasAgg(self.figure)
        with rc_context(SCREEN):
            self.axes = self.figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, 0))
        self.axes.set_axis_off()

    def x(self, column: int) -> int:
        return self.left + column * (self.cell[1] + self.gaps[1])

    def y(self, row: int) -> int:
        return self.top + row * (self.cell[0] + self.gaps[0])

    def middle(self, column: int) -> float:
        return self.x(column) + self.cell[1] / 2

    def picture(self, row: int, column: int, image: torch.Tensor, edge: str | None = None) -> None:
        """Put an image `(C, H, W)` into a cell, with a coloured edge around it if one is given."""
        pixels = _scale(image, self.cell[0]).permute(1, 2, 0).numpy()
        height, width = pixels.shape[:2]
        x, y = self.x(column), self.y(row)
        self.canvas[y : y + height, x : x + width] = pixels
        if edge:
            self.axes.add_patch(
                Rectangle(
                    (x - 3, y - 3), width + 6, height + 6, fill=False, edgecolor=edge, linewidth=2
                )
            )

    def text(self, x: float, y: float, text: str, **options: object) -> None:
        with rc_context(SCREEN):
            self.axes.text(x, y, text, parse_math=False, **{"va": "baseline", **options})

    def arrow(self, start: float, end: float, y: float) -> None:
        if end > start:
            style = {
                "arrowstyle": "-|>,head_width=0.12,head_length=0.25",
                "color": QUIET,
                "linewidth": 0.6,
            }
            self.axes.annotate("", xy=(end, y), xytext=(start, y), arrowprops=style)

    def write(self, path: Path) -> None:
        """Write the PNG; the same pictures give the same bytes."""
        self.figure.figimage(self.canvas[::-1], origin="lower", zorder=-1)
        with written_whole(path) as partial:
            self.figure.savefig(partial, format="png", dpi=DPI, metadata=SILENT[".png"])
