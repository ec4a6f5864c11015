"""What every table and figure of the paper carries: its caption, and how to remake it alone."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure

from transporter.figures.theme import DPI, INK, LINE, PAPER, QUIET, SILENT
from transporter.support.files import written_whole
from transporter.support.hashes import digest, files_hash


@dataclass(frozen=True)
class Exhibit:
    """A table or a figure: its name, its caption, and its provenance in one line."""

    name: str
    caption: str
    provenance: str

    @classmethod
    def of(
        cls, output: str, caption: str, settings: object, data: Iterable[str], code: str
    ) -> Exhibit:
        """The exhibit that Snakemake writes to `output`, from settings, files of data, and code
        with a hash.
        """
        hashes = f"config {digest(settings)} · data {files_hash(data)} · code {code}"
        return cls(Path(output).stem, caption, f"{hashes} · snakemake --cores all {output}")

    def write(self, figure: Figure, stem: Path) -> None:
        """Write a figure as `stem`.pdf and `stem`.png, with caption and provenance beneath; equal
        input gives equal bytes.
        """
        self._subscribe(figure)
        for suffix, metadata in SILENT.items():
            with rc_context(PAPER), written_whole(stem.with_suffix(suffix)) as partial:
                figure.savefig(partial, format=suffix[1:], dpi=DPI, metadata=metadata)

    def _subscribe(self, figure: Figure) -> None:
        """Make the figure taller, and write beneath what is in it."""
        width, height = figure.get_size_inches()
        lines = textwrap.wrap(self.caption.replace(" %", "\u00a0%"), round(width * 20))
        source = textwrap.wrap(self.provenance, round(width * 28))
        added = LINE * (len(lines) + 0.8 * len(source) + 1)
        for axes in figure.axes:
            x, y, w, h = axes.get_position().bounds
            axes.set_position(
                (x, (y * height + added) / (height + added), w, h * height / (height + added))
            )
        figure.set_size_inches(width, height + added)
        top = added / (height + added)
        with rc_context(PAPER):
            text = {"va": "top", "ha": "left", "parse_math": False, "linespacing": 1.15}
            figure.text(0.02, top, "\n".join(lines), size=6.5, color=INK, **text)
            below = top - LINE * (len(lines) + 0.3) / (height + added)
            figure.text(0.02, below, "\n".join(source), size=4.5, color=QUIET, **text)


@dataclass(frozen=True)
class Drawing:
    """A figure without its caption, and the caption."""

    figure: Figure
    caption: str

    def write(self, exhibit: Exhibit, stem: Path) -> None:
        """Write `stem`.pdf and `stem`.png."""
        exhibit.write(self.figure, stem)
