"""What a person at a terminal sees: one bar, warnings and tables."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from transporter.support.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="No bar, and no word of what was written.")
]
Force = Annotated[bool, typer.Option("--force", help="Replace what is there.")]
ConfigFile = Annotated[
    Path | None,
    typer.Option(help="The settings; by default config/config.yaml of this checkout."),
]
GeneratorName = Annotated[
    str | None,
    typer.Option("--generator", help="Name in the settings; by default the first that runs."),
]
VLMName = Annotated[
    str | None, typer.Option("--vlm", help="Name in the settings; by default the first that runs.")
]
LARGEST = 1000
"""Of strengths and shares; a concept is fitted at strengths from 0 to 1."""


def warn(text: str) -> None:
    """One line on standard error."""
    typer.echo(f"transporter: {text}", err=True)


@contextmanager
def progress(stages: int, quiet: bool) -> Iterator[Callable[[str], None]]:
    """Yield what is called at the start of each of some stages, with its name; a terminal shows a
    bar meanwhile.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    hidden = quiet or not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=hidden) as bar:
        task = bar.add_task("", total=stages)
        begun = 0

        def begin(name: str) -> None:
            nonlocal begun
            bar.update(task, description=name, completed=begun)
            begun += 1

        yield begin


def number(text: str, option: str) -> float:
    """A finite number, of a size that means something.

    Raises:
        UserError: the text is none, or larger than `LARGEST`.
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UserError(f"{option}: expected a number, got {text!r}")
    if abs(value) > LARGEST:
        raise UserError(f"{option}: expected at most {LARGEST} in size, got {text!r}")
    return value


def two(text: str, option: str, expected: str, separator: str) -> tuple[str, str]:
    """Both sides of the separator.

    Raises:
        UserError: it is not there.
    """
    first, found, second = text.partition(separator)
    if not found:
        raise UserError(f"{option}: expected {expected}, got {text!r}")
    return first, second


def share(text: str, option: str) -> tuple[float, float]:
    """A range FIRST:LAST within [0, 1].

    Raises:
        UserError: the text is none.
    """
    sides = two(text, option, "FIRST:LAST such as 0.5:1", ":")
    first, last = (number(side, option) for side in sides)
    if not 0 <= first < last <= 1:
        raise UserError(f"{option}: expected 0 <= FIRST < LAST <= 1, got {text!r}")
    return first, last


def refuse_output(path: Path, force: bool) -> None:
    """Raise a `UserError` for a place that nothing can be written to, or that is taken unless it
    may be replaced.

    A link is not followed: what it leads to is written by its own name.
    """
    if path.is_symlink():
        raise UserError(
            f"--out: expected a file or folder of its own, got {path}, a link to"
            f" {os.readlink(path)}; name that place itself"
        )
    if path.exists() and not path.is_file() and not path.is_dir():
        raise UserError(f"--out: expected a regular file, got {path}, which is none")
    above = next(folder for folder in path.absolute().parents if folder.exists())
    if not above.is_dir() or not os.access(above, os.W_OK):
        raise UserError(
            f"--out: expected a place in a folder that can be written to, got {path}, and"
            f" {above} is none"
        )
    if path.exists() and not force:
        raise UserError(
            f"--out: {path} is there already; choose another name, or add --force to replace it"
        )


def print_table(table: pd.DataFrame) -> None:
    """As `print_rows`, of all columns."""
    print_rows(list(table), list(table.itertuples(index=False)))


def print_rows(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Text to the left, numbers to the right; into a file or a pipe at its full width."""
    from rich.console import Console
    from rich.table import Table

    shown = Table(box=None)
    for place, name in enumerate(columns):
        numeric = any(isinstance(row[place], float) for row in rows)
        shown.add_column(str(name), justify="right" if numeric else "left", no_wrap=True)
    for row in rows:
        cells = (f"{value:.3g}" if isinstance(value, float) else str(value) for value in row)
        shown.add_row(*cells)
    console = Console()
    if not console.is_terminal:
        console.width = 200
    console.print(shown)
