"""A table of paths and captions, separated by commas, in the folder below which the clips are."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from transporter.clips.listing import Entry, Listing, table_of
from transporter.support.errors import UserError

COLUMNS = ("path", "caption")


def read_csv(folder: Path, files: Sequence[Path]) -> Listing:
    """The clips of the table `files`, which is one: its columns `path`, as seen from the folder or
    whole, and `caption`; others are passed over.

    Raises:
        UserError: no such columns, other bytes than UTF-8, a row of more or fewer cells, or what
            `table_of` refuses, paths out of the folder among it.
    """
    return Listing(files[0], folder, table_of(_entries(files[0], folder)))


def _entries(path: Path, folder: Path) -> Iterator[Entry]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file, strict=True)
            header = next(rows, [])
            if missing := [name for name in COLUMNS if name not in header]:
                raise UserError(
                    f"{path}: expected columns {', '.join(COLUMNS)}, separated by commas; missing:"
                    f" {', '.join(missing)}"
                )
            places = [header.index(name) for name in COLUMNS]
            for row in rows:
                where = f"{path}, line {rows.line_num}"
                if row and len(row) != len(header):
                    raise UserError(f"{where}: expected {len(header)} cells, got {len(row)}")
                if row:
                    clip, caption = (row[place] for place in places)
                    yield Entry(where, _below(clip, folder), caption)
    except UnicodeDecodeError:
        raise UserError(f"{path}: expected a table in UTF-8, got other bytes") from None
    except csv.Error as error:
        raise UserError(f"{path}, line {rows.line_num}: expected cells, got: {error}") from None


def _below(path: str, folder: Path) -> str:
    """A whole path as seen from the folder; one that leads elsewhere is refused as it stands."""
    home = f"{os.path.abspath(folder)}/"
    return path.removeprefix(home)
