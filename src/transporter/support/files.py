"""Writing files and folders so that nothing half-written stays behind, and tab-separated tables."""

from __future__ import annotations

import csv
import io
import os
import re
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from transporter.support.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

PARTIAL = re.compile(r"\.partial-[0-9a-f]{8}-.+")
"""Names of what is being written, and of what a killed process has left behind."""
HIDDEN = shutil.ignore_patterns(".*")
NO_COLUMN = "no column"
AT_ONCE = 16
"""Files that the disk is asked to hold at once."""


@contextmanager
def written_whole(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary name beside `path`; it becomes `path` (file or folder) when the block ends
    well, and goes when it fails.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # not the process id: containers and nodes that share a folder have equal ones, and a killed
    # process leaves its name taken
    partial = path.with_name(f".partial-{secrets.token_hex(4)}-{path.name}")
    try:
        yield partial
        # within a folder that is itself being written all is flushed at once, at its end
        whole = not any(PARTIAL.fullmatch(part) for part in path.parent.parts)
        if whole:
            _flush(_all_in(partial))
        if path.is_dir() and partial.is_dir():
            shutil.rmtree(path)
        os.replace(partial, path)
        if whole:
            _flush([path.parent])
    finally:
        if partial.is_dir():
            shutil.rmtree(partial)
        else:
            partial.unlink(missing_ok=True)


def _flush(paths: Sequence[Path]) -> None:
    """Have the disk hold the bytes of files and the names in folders before another name stands for
    them: a loss of power could else leave that name and nothing in it.
    """
    if not paths:
        return
    # a disk takes what comes together in about the time of one
    with ThreadPoolExecutor(min(len(paths), AT_ONCE)) as pool:
        list(pool.map(_fsync, paths))


def _all_in(path: Path) -> list[Path]:
    """A file, or the files in a folder and below, and then the folders."""
    if path.is_file():
        return [path]
    folders, files = [], []
    for folder, _, names in os.walk(path, topdown=False):
        folders.append(Path(folder))
        files += [Path(folder, name) for name in names]
    return [*filter(Path.is_file, files), *folders]


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError:
        # not every file system can do this for folders
        if not path.is_dir():
            raise
    finally:
        os.close(descriptor)


def remove_partial(folders: Iterable[str | os.PathLike[str]]) -> None:
    """Remove what killed processes have left half-written in `folders` and below; nobody may be
    writing there.
    """
    for folder in folders:
        for path in list(Path(folder).rglob(".partial-*")):
            if PARTIAL.fullmatch(path.name):
                _remove(path)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def link_tree(source: Path, target: str | os.PathLike[str]) -> bool:
    """Make `target` the folder `source` once more, by hard links to its files but the hidden ones,
    which tell of `source` alone; False, and nothing made, where the disk has none.
    """
    try:
        with written_whole(target) as partial:
            shutil.copytree(source, partial, copy_function=os.link, ignore=HIDDEN)
    except (OSError, shutil.Error):
        return False
    return True


def link_files(files: Mapping[str, Path], target: str | os.PathLike[str]) -> None:
    """Make `target` a folder of files by name, hard links where the disk has them, else copies."""
    with written_whole(target) as partial:
        partial.mkdir()
        for name, file in files.items():
            (partial / name).parent.mkdir(parents=True, exist_ok=True)
            try:
                os.link(file, partial / name)
            except OSError:
                shutil.copyfile(file, partial / name)


def same_tree(source: Path, target: str | os.PathLike[str]) -> None:
    """As `link_tree`, by copies where the disk has no links."""
    if not link_tree(source, target):
        with written_whole(target) as partial:
            shutil.copytree(source, partial, ignore=HIDDEN)


def _flat(cell: object) -> object:
    """A cell without the characters that would end it: tabs and line breaks become a space."""
    return re.sub(r"[\t\r\n]+", " ", cell) if isinstance(cell, str) else cell


def write_table(table: pd.DataFrame, path: str | os.PathLike[str]) -> None:
    """Write a tab-separated table with a header, without quotes, floats to six significant
    digits; an empty cell of a table of one column is an empty line.
    """
    alone = len(table.columns) == 1
    # the module csv refuses an empty line, so a second column stands there that goes again
    written = table.assign(**{NO_COLUMN: ""}) if alone else table
    text = written.map(_flat).to_csv(
        sep="\t",
        index=False,
        float_format="%.6g",
        lineterminator="\n",
        quoting=csv.QUOTE_NONE,
    )
    if alone:
        header, rest = text.split("\n", 1)
        text = "\n".join([header.removesuffix(f"\t{NO_COLUMN}"), rest.replace("\t\n", "\n")])
    with written_whole(path) as partial:
        partial.write_text(text, encoding="utf-8", newline="")


def _checked_lines(path: Path, columns: Sequence[str]) -> str:
    """The text of a table whose lines all have as many cells as its header, which holds
    `columns`.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path}: expected a table in UTF-8, got other bytes at byte {error.start}; save it as"
            " UTF-8"
        ) from None
    header, *lines = text.split("\n")
    names = header.split("\t")
    missing = [name for name in columns if name not in names]
    if missing:
        raise UserError(
            f"{path}: expected columns {', '.join(columns)}, separated by tabs; missing:"
            f" {', '.join(missing)}"
        )
    for number, line in enumerate(lines, start=2):
        cells = line.count("\t") + 1
        if line and cells != len(names):
            raise UserError(
                f"{path}, line {number}: expected {len(names)} cells, separated by tabs, got"
                f" {cells}"
            )
    return text


def read_rows(
    path: str | os.PathLike[str], columns: Sequence[str]
) -> list[tuple[int, tuple[str, ...]]]:
    """Read a tab-separated table as text: of each line that is not empty its number, from 2, and
    its cells in `columns`. Empty lines of a table of one column are empty cells.

    For the small tables that say what a run is about: a dry run reads them, and should not wait for
    pandas.

    Raises:
        UserError: as `read_table`.
    """
    header, *lines = _checked_lines(_found(path, columns), columns).split("\n")
    names = header.split("\t")
    places = [names.index(name) for name in columns]
    if len(names) == 1 and lines and not lines[-1]:
        lines.pop()  # what follows the end of the last line
    cells = [
        (number, line.split("\t"))
        for number, line in enumerate(lines, start=2)
        if line or len(names) == 1
    ]
    return [(number, tuple(row[place] for place in places)) for number, row in cells]


def _found(path: str | os.PathLike[str], columns: Sequence[str]) -> Path:
    path = Path(path)
    if not path.is_file():
        raise UserError(
            f"{path}: expected a tab-separated table with columns {', '.join(columns)}, found no"
            " such file"
        )
    return path


def read_table(
    path: str | os.PathLike[str], columns: Sequence[str], text: Sequence[str] = ()
) -> pd.DataFrame:
    """Read a tab-separated table in which quotes mean nothing; an empty cell among text is an empty
    string.

    A column of nothing but numbers becomes numbers, unless it is one of `text`. Empty lines are
    passed over, but in a table of one column, whose empty cells they are.

    Raises:
        UserError: the file is missing, is not UTF-8, lacks one of `columns`, or has a line of more
            or fewer cells than the header.
    """
    import pandas as pd

    lines = _checked_lines(_found(path, columns), columns)
    return pd.read_csv(
        io.StringIO(lines),
        sep="\t",
        skip_blank_lines="\t" in lines.partition("\n")[0],
        keep_default_na=False,
        quoting=csv.QUOTE_NONE,
        dtype=dict.fromkeys(text, str),
    )
