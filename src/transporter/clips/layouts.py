"""How a folder of clips may be laid out, and what reads each layout."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from transporter.clips.captions_layout import CLIPS, TABLE, read_folder
from transporter.clips.csv_layout import read_csv
from transporter.clips.listing import Layout, Listing
from transporter.clips.vatex_layout import read_vatex
from transporter.clips.webdataset_layout import read_shards
from transporter.support.errors import UserError

UNPACKED = "results/clips/unpacked"
"""Where clips lie that were taken out of archives, a folder for each split."""


class _Kind(NamedTuple):
    read: Callable[[Path, Sequence[Path]], Listing]
    pattern: str
    """Of the files that list the clips."""
    clips: str | None
    """The folder of the files, as seen from the user's; None for archives."""
    several: bool = False


KINDS: Mapping[Layout, _Kind] = {
    "captions": _Kind(read_folder, TABLE, CLIPS),
    "csv": _Kind(read_csv, "*.csv", "."),
    "vatex": _Kind(read_vatex, "*.json", CLIPS),
    "webdataset": _Kind(read_shards, "*.tar", None, several=True),
}


def listed_by(folder: Path, layout: Layout) -> list[Path]:
    """The files of a folder that list its clips, in the order of their names.

    Raises:
        UserError: there is none, or more than the layout has.
    """
    kind = KINDS[layout]
    found = sorted(path for path in folder.glob(kind.pattern) if path.is_file())
    if not found or (len(found) > 1 and not kind.several):
        count = "one file or more" if kind.several else "one file"
        names = ", ".join(path.name for path in found[:3]) or "none"
        raise UserError(f"{folder}: expected {count} {kind.pattern}, got {names}")
    return found


def is_listed(folder: Path, layout: Layout) -> bool:
    """Whether there is a file in the folder that lists its clips."""
    return any(path.is_file() for path in folder.glob(KINDS[layout].pattern))


def clip_base(folder: str, layout: Layout, split: str) -> str:
    """The folder in which clips of a split are files, by their names."""
    below = KINDS[layout].clips
    if below is None:
        return f"{UNPACKED}/{split}"
    return folder if below == "." else f"{folder}/{below}"


def is_packed(layout: Layout) -> bool:
    """Whether clips lie in archives."""
    return KINDS[layout].clips is None


def listed(folder: Path, layout: Layout) -> Listing:
    """The clips of a folder; the table of what comes back is not to be changed.

    Raises:
        UserError: nothing lists them, or what does is not as the layout has it.
    """
    files = listed_by(folder, layout)
    below = folder / (KINDS[layout].clips or ".")
    return _listed(folder, layout, tuple(files), tuple(map(_stamp, [*files, below])))


@lru_cache(maxsize=4)
def _listed(
    folder: Path, layout: Layout, files: tuple[Path, ...], stamps: tuple[str, ...]
) -> Listing:
    """A dry run asks several times; `stamps` change with the files."""
    return KINDS[layout].read(folder, files)


def _stamp(path: Path) -> str:
    try:
        about = path.stat()
    except OSError:
        return ""
    return f"{about.st_size} {about.st_mtime_ns} {about.st_ctime_ns}"
