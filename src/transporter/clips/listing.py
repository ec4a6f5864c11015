"""The clips of a folder, however it is laid out: names, captions, and where the bytes are."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from transporter.support.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

Layout = Literal["captions", "csv", "vatex", "webdataset"]
"""What a folder of clips holds: a table of captions, a table of paths, a list of VATEX, or tar
files.
"""
COLUMNS = ("clip", "caption")
LONGEST = 200
"""Bytes of a part of a name, at most: a file system takes 255."""


class Piece(NamedTuple):
    """Where the bytes of a clip are: all of a file, or `size` of them from `offset` on."""

    file: Path
    offset: int = 0
    size: int | None = None


@dataclass(frozen=True)
class Listing:
    """The clips of a folder.

    Attributes:
        source: the file or folder that names them.
        base: the folder below which each name is a file; for clips in archives, None.
        table: columns `COLUMNS`, both text.
        pieces: of clips in archives, name to place.
        absent: names that `source` has and no file, where that is usual.
    """

    source: Path
    base: Path | None
    table: pd.DataFrame
    pieces: Mapping[str, Piece] = field(default_factory=dict)
    absent: tuple[str, ...] = ()

    def piece(self, name: str) -> Piece:
        """Where the bytes of a clip are."""
        return self.pieces[name] if self.base is None else Piece(self.base / name)


class Entry(NamedTuple):
    """A clip and its caption, and where both stand, as a person would look for them."""

    where: str
    clip: str
    caption: str


def table_of(entries: Iterable[Entry]) -> pd.DataFrame:
    """Entries as a table, columns `COLUMNS`; white space in captions becomes single spaces.

    Raises:
        UserError: no entry; one without a caption, with a name that leads out of the folder or is
            too long for a file system, or with the clip of another one.
    """
    import pandas as pd

    rows: dict[str, str] = {}
    for where, clip, caption in entries:
        words = " ".join(caption.split())
        if not words:
            raise UserError(f"{where}: expected a caption, got none")
        check_name(clip, where)
        if clip in rows:
            raise UserError(f"{where}: the clip {short(clip)} stands there twice; remove one")
        rows[clip] = words
    return pd.DataFrame(list(rows.items()), columns=list(COLUMNS), dtype=str)


def check_name(name: str, where: str) -> None:
    """Raise a `UserError` for a name that is no plain way down from where it is read."""
    if not is_below(name):
        raise UserError(
            f"{where}: expected the name of a file below the folder, as day1/0001.mp4, got"
            f" {short(name)}"
        )
    if max(len(part.encode()) for part in name.split("/")) > LONGEST:
        raise UserError(
            f"{where}: expected names of at most {LONGEST} bytes, got {short(name)}; rename it"
        )


def is_below(name: str) -> bool:
    """Whether a name is plain and leads down from where it is read."""
    return name.isprintable() and not {"", ".", ".."} & set(re.split(r"[/\\]", name))


def short(name: str) -> str:
    """A name in quotes, cut where it is long."""
    return repr(name if len(name) <= 80 else f"{name[:77]}...")
