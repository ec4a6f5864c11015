"""A table of the paper in three forms: TSV to compute with, LaTeX to print, a picture to
look at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from transporter.figures.exhibit import STYLE, Exhibit
from transporter.figures.filmstrip import INK, QUIET
from transporter.support.files import write_table, written_whole

ROW = 0.16
"""Height of a row of the picture in inches."""
LETTER = 0.056
"""Width of a letter in inches, on average."""
SPECIAL = {c: f"\\{c}" for c in "&%$#_{}"} | {
    "φ": r"$\varphi$",
    "Φ": r"$\Phi$",
    "ω": r"$\omega$",
    "ρ": r"$\rho$",
    "≥": r"$\geq$",
    ">": "$>$",
    "Δ": r"$\Delta$",
    "^": r"\^{}",
    "–": "--",
}
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


def write_paper_table(
    frame: pd.DataFrame,
    labels: Sequence[str],
    columns: Sequence[Column],
    exhibit: Exhibit,
    stem: Path,
    group: str | None = None,
) -> None:
    """Write `stem`.tsv, .tex, .pdf and .png.

    Args:
        frame: one row per row of the table: columns that name it, and each number with its `_low`
            and `_high`.
        labels: which columns name a row, in order.
        columns: which numbers are shown; the TSV has all of `frame`.
        group: the label by which rows belong together: the best number of each group is bold, and a
            rule parts them.
    """
    cells = {name: frame[name].astype(str).tolist() for name in labels}
    cells |= {column.heading: column.cells(frame) for column in columns}
    bold = {column.heading: column.best(frame, group) for column in columns}
    breaks = (
        []
        if group is None
        else [i for i in range(1, len(frame)) if frame[group].iloc[i] != frame[group].iloc[i - 1]]
    )
    write_table(frame, stem.with_suffix(".tsv"))
    with written_whole(stem.with_suffix(".tex")) as partial:
        partial.write_text(_latex(cells, bold, breaks, exhibit))
    exhibit.write(_picture(cells, bold, breaks), stem)


def _tex(text: str) -> str:
    text = "".join(SPECIAL.get(letter, letter) for letter in text)
    return text.replace("↑", r"$\uparrow$").replace("↓", r"$\downarrow$")


def _latex(
    cells: dict[str, list[str]],
    bold: dict[str, list[bool]],
    breaks: Sequence[int],
    exhibit: Exhibit,
) -> str:
    """A `table` that needs the package booktabs."""
    aligned = "".join("r" if name in bold else "l" for name in cells)
    lines = [
        f"% {exhibit.provenance}",
        r"\begin{table}",
        r"  \centering",
        rf"  \caption{{{_tex(exhibit.caption)}}}",
    ]
    lines += [
        rf"  \label{{tab:{exhibit.name}}}",
        rf"  \begin{{tabular}}{{{aligned}}}",
        r"    \toprule",
    ]
    lines += ["    " + " & ".join(map(_tex, cells)) + r" \\", r"    \midrule"]
    for index in range(len(next(iter(cells.values())))):
        lines += [r"    \midrule"] * (index in breaks)
        row = [
            (_tex(column[index]), bold.get(name, [False] * (index + 1))[index])
            for name, column in cells.items()
        ]
        lines.append(
            "    "
            + " & ".join(rf"\textbf{{{text}}}" if best else text for text, best in row)
            + r" \\"
        )
    return "\n".join([*lines, r"    \bottomrule", r"  \end{tabular}", r"\end{table}", ""])


def _picture(
    cells: dict[str, list[str]], bold: dict[str, list[bool]], breaks: Sequence[int]
) -> Figure:
    """The table with horizontal rules alone, as booktabs draws it."""
    rows = len(next(iter(cells.values())))
    widths = [LETTER * (max(map(len, [name, *column])) + 2.5) for name, column in cells.items()]
    width, height = sum(widths) + 0.1, ROW * (rows + 2)
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    with rc_context(STYLE):
        axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, 0))
        axes.set_axis_off()
        for y, weight in ((0.3 * ROW, 0.8), (1.35 * ROW, 0.5), (height - 0.3 * ROW, 0.8)):
            axes.plot((0.05, width - 0.05), (y, y), color=INK, linewidth=weight)
        for index in breaks:
            axes.plot((0.05, width - 0.05), [(1.35 + index) * ROW] * 2, color=QUIET, linewidth=0.4)
        x = 0.05
        for (name, column), across in zip(cells.items(), widths, strict=True):
            number = name in bold
            place = {
                "x": x + across - LETTER if number else x + LETTER,
                "ha": "right" if number else "left",
                "va": "center",
            }
            axes.text(y=0.85 * ROW, s=name, parse_math=False, **place)
            for index, text in enumerate(column):
                weight = "bold" if number and bold[name][index] else "normal"
                axes.text(y=(1.85 + index) * ROW, s=text, weight=weight, parse_math=False, **place)
            x += across
    return figure
