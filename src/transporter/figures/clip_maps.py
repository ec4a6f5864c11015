"""One clip under the maps of its words by several readings, frame by frame, as papers show them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure

from transporter.figures.overlay import laid_over, over_frames
from transporter.figures.theme import DPI, MAP, PAGE, PAPER, QUIET, SILENT
from transporter.support.files import written_whole

LEFT, RIGHT, ABOVE, BELOW = 1.15, 0.5, 0.34, 0.04
"""Inches beside the pictures: names of readings, the scale, words, nothing."""
GAP = 0.06
"""Between two words, in inches."""


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


def _draw(
    video: torch.Tensor,
    words: Sequence[str],
    masks: torch.Tensor,
    maps: Mapping[str, torch.Tensor],
) -> Figure:
    latent = next(iter(maps.values())).shape[1]
    shown = _last_frames(latent, len(video))
    side = (PAGE - LEFT - RIGHT - GAP * (len(words) - 1)) / (len(words) * latent)
    tall = side * video.shape[2] / video.shape[3]
    names = ["the clip", "where it is", *maps]
    height = ABOVE + BELOW + tall * len(names)
    figure = Figure(figsize=(PAGE, height))
    FigureCanvasAgg(figure)
    for row, name in enumerate(names):
        bottom = BELOW + tall * (len(names) - 1 - row)
        figure.text(
            (LEFT - 0.06) / PAGE, (bottom + tall / 2) / height, name, ha="right", va="center"
        )
        for number in range(len(words)):
            pictures = _pictures(name, number, video, masks, maps)
            for column, frame in enumerate(shown):
                left = LEFT + number * (latent * side + GAP) + column * side
                box = (left / PAGE, bottom / height, side / PAGE, tall / height)
                _picture(figure.add_axes(box), pictures[frame])
    for number, word in enumerate(words):
        middle = LEFT + number * (latent * side + GAP) + latent * side / 2
        top = (height - 0.6 * ABOVE) / height
        figure.text(middle / PAGE, top, word, ha="center", va="center", style="italic")
    scale = (PAGE - RIGHT + 0.08, BELOW, 0.08, tall * len(maps))
    sizes = (PAGE, height, PAGE, height)
    _scale(figure.add_axes(tuple(a / b for a, b in zip(scale, sizes, strict=True))))
    return figure


def _last_frames(latent: int, frames: int) -> list[int]:
    """The last frame that each latent frame stands for."""
    index = over_frames(torch.arange(latent), frames)
    return [int((index == one).nonzero()[-1]) for one in range(latent)]


def _pictures(
    name: str,
    number: int,
    video: torch.Tensor,
    masks: torch.Tensor,
    maps: Mapping[str, torch.Tensor],
) -> torch.Tensor:
    """A row's clip for one of the words, `(T, 3, H, W)`."""
    if name in maps:
        found = maps[name][number]
        low, high = (float(end) for end in found.aminmax())
        return laid_over(video, found, low, high)
    if name == "the clip":
        return video
    return (0.25 + 0.75 * masks[number, :, None].float()) * video


def _picture(axes: Axes, picture: torch.Tensor) -> None:
    axes.imshow(picture.permute(1, 2, 0).clamp(0, 1).numpy(), aspect="auto")
    axes.set_axis_off()


def _scale(axes: Axes) -> None:
    bar = axes.figure.colorbar(ScalarMappable(cmap=MAP), cax=axes, ticks=[0, 1])
    bar.ax.set_yticklabels(["least", "most"], fontsize=6, color=QUIET)
    bar.ax.tick_params(length=0)
    bar.outline.set_visible(False)
