"""A page in inches, from the top left, on which stills, words and plots are laid out; what is
written there stays vector.
"""

from __future__ import annotations

import torch
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from transporter.figures.theme import INK, PAPER, QUIET, SOURCE, TARGET


class Canvas:
    """One figure with a coordinate system of inches; `Exhibit` puts the caption beneath."""

    def __init__(self, width: float, height: float) -> None:
        self.width, self.height = width, height
        self.figure = Figure(figsize=(width, height))
        FigureCanvasAgg(self.figure)
        with rc_context(PAPER):
            self.axes = self.figure.add_axes(
                (0, 0, 1, 1), xlim=(0, width), ylim=(height, 0), autoscale_on=False
            )
        self.axes.set_axis_off()

    def picture(self, x: float, y: float, height: float, image: torch.Tensor) -> float:
        """Put an image `(C, H, W)` in [0, 1] with its top left at `(x, y)`; returns its width."""
        width = height * image.shape[-1] / image.shape[-2]
        pixels = image.detach().float().cpu().clamp(0, 1).permute(1, 2, 0).numpy()
        self.axes.imshow(
            pixels, extent=(x, x + width, y + height, y), interpolation="bicubic", aspect="auto"
        )
        return width

    def text(self, x: float, y: float, text: str, **options: object) -> None:
        """Words whose baseline begins at `(x, y)`."""
        with rc_context(PAPER):
            self.axes.text(
                x,
                y,
                text,
                **{"va": "baseline", "size": 7, "color": INK, "parse_math": False, **options},
            )

    def words(self, left: float, right: float, y: float, source: str, target: str) -> None:
        """Source and target word over the two ends of a row of stills."""
        self.text(left, y, source, weight="bold", color=SOURCE)
        self.text(right, y, target, weight="bold", color=TARGET, ha="right")

    def arrow(
        self, start: tuple[float, float], end: tuple[float, float], **options: object
    ) -> None:
        style = {
            "arrowstyle": "-|>,head_width=0.12,head_length=0.25",
            "color": QUIET,
            "linewidth": 0.7,
            "shrinkA": 0,
            "shrinkB": 0,
        }
        self.axes.annotate("", xy=end, xytext=start, arrowprops={**style, **options})

    def bar(self, x: float, y: float, width: float, height: float, colour: str) -> None:
        """A filled rectangle with its top left at `(x, y)`."""
        self.axes.add_patch(Rectangle((x, y), width, height, color=colour, linewidth=0))

    def frame(self, x: float, y: float, width: float, height: float, colour: str) -> None:
        """The outline of a rectangle with its top left at `(x, y)`."""
        self.axes.add_patch(
            Rectangle((x, y), width, height, fill=False, edgecolor=colour, linewidth=1.4)
        )

    def plot(self, x: float, y: float, width: float, height: float) -> Axes:
        """Axes whose frame has its top left at `(x, y)`; tick labels and names of axes stand
        outside.
        """
        with rc_context(PAPER):
            axes = self.figure.add_axes(
                (
                    x / self.width,
                    1 - (y + height) / self.height,
                    width / self.width,
                    height / self.height,
                )
            )
        axes.tick_params(length=2, width=0.6, pad=1.5)
        return axes
