"""A table of the paper in three forms: TSV to compute with, LaTeX to print, a picture to
look at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from transporter.figures.exhibit import Exhibit
from transporter.figures.theme import INK, PAPER, QUIET
from transporter.support.files import write_table, written_whole

ROW = 0.16
"""Height of a row of the picture in inches."""
LETTER = 0.056
"""Width of a letter in inches, on average."""
EDGE = 0.05
"""Inches of the picture on the left and the right of the table."""
SPECIAL = {c: f"\\{c}" for c in "&%$#_{}"} | {
    "φ": r"$\varphi$",
    "Φ": r"$\Phi$",
    "ω": r"$\omega$",
    "ρ": r"$\rho$",
    "≥": r"$\geq$",
    ">": "$>$",
    "Δ": r"$\Delta$",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "\\": r"\textbackslash{}",
    "<": "$<$",
    "–": "--",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
}
"""LaTeX of characters that it would read otherwise, or has no letter for."""
ARROWS = {True: "↑", False: "↓", None: ""}


@dataclass(frozen=True)
class Column:
    """A column of numbers; where the frame has `key_low` and `key_high`, the interval stands beside
    the number.

    `better` says whether higher is better, None neither; `digits` are those after the point;
    without `interval` the number stands alone.
    """

    key: str
    title: str
    better: bool | None = None
    digits: int = 2
    interval: bool = True

    @property
    def heading(self) -> str:
        return f"{self.title} {ARROWS[self.better]}".strip()

    def cells(self, frame: pd.DataFrame) -> list[str]:
        return [self._cell(row) for row in frame.to_dict("records")]

    def _cell(self, row: dict[str, float]) -> str:
        numbers = [
            row.get(f"{self.key}{end}")
            for end in ("", "_low", "_high")[: 3 if self.interval else 1]
        ]
        if pd.isna(numbers[0]):
            return "–"
        value, *interval = (
            None if pd.isna(number) else f"{number:.{self.digits}f}" for number in numbers
        )
        return value if not interval or None in interval else f"{value} [{', '.join(interval)}]"

    def best(self, frame: pd.DataFrame, group: str | None) -> list[bool]:
        """Which rows have the best number, of all or of their group."""
        if self.better is None:
            return [False] * len(frame)
        values = frame[self.key] if self.better else -frame[self.key]
        top = (
            values.max()
            if group is None
            else values.groupby(frame[group], sort=False).transform("max")
        )
        return (values == top).tolist()


@dataclass(frozen=True)
class PaperTable:
    """A table of the paper, before it is written.

    Attributes:
        frame: one row per row of the table: columns that name it, and every number with its `_low`
            and `_high`.
        labels: which columns name a row, in order.
        columns: which numbers stand in the table; the TSV has all of `frame`.
        caption: what stands below it.
        group: the label by which rows belong together: the best number of each group is bold, and a
            rule parts them.
        extra: further tables by name, in files of their own.
    """

    frame: pd.DataFrame
    labels: Sequence[str]
    columns: Sequence[Column]
    caption: str
    group: str | None = None
    extra: Mapping[str, pd.DataFrame] = field(default_factory=dict)

    def write(self, exhibit: Exhibit, stem: Path) -> None:
        """Write `stem`.tsv, .tex, .pdf and .png, and `stem`_<name>.tsv of further tables."""
        write_table(self.frame, stem.with_suffix(".tsv"))
        with written_whole(stem.with_suffix(".tex")) as partial:
            partial.write_text(self._latex(exhibit))
        exhibit.write(_picture(self._cells(), self._bold(), self._breaks()), stem)
        for name, table in self.extra.items():
            write_table(table, stem.with_name(f"{stem.name}_{name}.tsv"))

    def _cells(self) -> dict[str, list[str]]:
        """What stands in the table, by heading."""
        cells = {name: self.frame[name].astype(str).tolist() for name in self.labels}
        return cells | {column.heading: column.cells(self.frame) for column in self.columns}

    def _bold(self) -> dict[str, list[bool]]:
        """Which numbers are the best, by heading."""
        return {column.heading: column.best(self.frame, self.group) for column in self.columns}

    def _breaks(self) -> list[int]:
        """Rows above which a rule parts groups."""
        if self.group is None:
            return []
        names = self.frame[self.group].tolist()
        return [row for row in range(1, len(names)) if names[row] != names[row - 1]]

    def _latex(self, exhibit: Exhibit) -> str:
        """A `table` that needs the package booktabs."""
        cells, bold = pd.DataFrame(self._cells()), self._bold()
        styles = pd.DataFrame("", cells.index, cells.columns)
        for heading, best in bold.items():
            styles.loc[best, heading] = "textbf: --rwrap;"
        styles.iloc[self._breaks(), 0] = "midrule: --nowrap;"
        styler = cells.style.hide(axis="index").apply(lambda _: styles, axis=None)
        table = (
            styler.format(_tex)
            .format_index(_tex, axis=1)
            .to_latex(
                hrules=True,
                column_format="".join("r" if name in bold else "l" for name in cells),
                position_float="centering",
                caption=_tex(exhibit.caption),
                label=f"tab:{exhibit.name}",
            )
        )
        # a comment ends with its line
        return f"% {' '.join(exhibit.provenance.split())}\n{table}"


def _tex(text: str) -> str:
    """Text as LaTeX prints it, in one line: an empty one would end the paragraph."""
    plain = " ".join(text.split())
    # after the end of a row LaTeX takes these for an option of it
    begun = f"{{{plain[0]}}}" if plain.startswith(("[", "*")) else SPECIAL.get(plain[:1], plain[:1])
    return begun + "".join(SPECIAL.get(letter, letter) for letter in plain[1:])


def _picture(
    cells: dict[str, list[str]], bold: dict[str, list[bool]], breaks: Sequence[int]
) -> Figure:
    """The table with horizontal rules alone, as booktabs draws it."""
    rows = len(next(iter(cells.values())))
    widths = [LETTER * (max(map(len, [name, *column])) + 2.5) for name, column in cells.items()]
    width, height = sum(widths) + 0.1, ROW * (rows + 2)
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    with rc_context(PAPER):
        axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, 0))
        axes.set_axis_off()
        _rules(axes, width, height, breaks)
        left = EDGE
        for (name, column), across in zip(cells.items(), widths, strict=True):
            right = left + across
            _draw_column(axes, name, column, bold.get(name), (left, right))
            left = right
    return figure


def _rules(axes: Axes, width: float, height: float, breaks: Sequence[int]) -> None:
    """Above the table, below its headings, below the table, and between groups."""
    ends = (EDGE, width - EDGE)
    for y, weight in ((0.3 * ROW, 0.8), (1.35 * ROW, 0.5), (height - 0.3 * ROW, 0.8)):
        axes.plot(ends, (y, y), color=INK, linewidth=weight)
    for index in breaks:
        axes.plot(ends, [(1.35 + index) * ROW] * 2, color=QUIET, linewidth=0.4)


def _draw_column(
    axes: Axes,
    heading: str,
    column: Sequence[str],
    bold: Sequence[bool] | None,
    ends: tuple[float, float],
) -> None:
    """A heading and its cells between `ends`: numbers, which have `bold`, on the right, labels on
    the left.
    """
    place: dict[str, object] = {"x": ends[0] + LETTER, "ha": "left", "va": "center"}
    if bold is not None:
        place |= {"x": ends[1] - LETTER, "ha": "right"}
    axes.text(y=0.85 * ROW, s=heading, parse_math=False, **place)
    for index, text in enumerate(column):
        weight = "bold" if bold is not None and bold[index] else "normal"
        axes.text(y=(1.85 + index) * ROW, s=text, weight=weight, parse_math=False, **place)
