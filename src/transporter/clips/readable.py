"""Which parts of clips can be read; what is known of some bytes is not looked at again."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from transporter.support.errors import UserError
from transporter.support.files import read_table, write_table

COLUMNS = ("sha256", "start", "reason")


class Part(NamedTuple):
    """A part of a clip, from `start` seconds on; `reason` says why it cannot be read, or nothing
    where it can.
    """

    start: float
    reason: str


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Wait until no other process is in such a block for `folder`, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def parts_of(
    clips: Mapping[str, Path],
    contents: Mapping[str, str],
    starts: Callable[[Path], list[float]],
    read: Callable[[Path, float], Any],
    known: Path,
) -> dict[str, list[Part]]:
    """Name to parts of each of `clips`: those that `starts` finds in it, in their order.

    Args:
        clips: name to file.
        contents: name to hash of what the file holds; "" where that cannot be had.
        starts: where the parts of a file begin, in seconds. Of a file that it refuses with a
            `UserError` there is one part, at 0, which cannot be read.
        read: tries the part of a file that begins there, and refuses with a `UserError`.
        known: a table (columns `COLUMNS`) of what is known of hashes, which this call begins with
            and leaves behind.
    """
    parts = _known(known)
    found = {}
    for name, file in clips.items():
        content = contents[name]
        if content not in parts or not content:
            parts[content] = _tried(file, starts, read)
        found[name] = parts[content]
    kept = [
        (content, str(part.start), part.reason)
        for content in dict.fromkeys(contents.values())
        if content
        for part in parts[content]
    ]
    write_table(pd.DataFrame(kept, columns=list(COLUMNS)), known)
    return found


def _known(path: Path) -> dict[str, list[Part]]:
    parts: dict[str, list[Part]] = {}
    if path.is_file():
        table = read_table(path, COLUMNS, text=("sha256", "reason"))
        for row in table.itertuples(index=False):
            parts.setdefault(row.sha256, []).append(Part(float(row.start), row.reason))
    return parts


def _tried(
    file: Path, starts: Callable[[Path], list[float]], read: Callable[[Path, float], Any]
) -> list[Part]:
    found: list[float] = []
    if reason := _refusal(lambda: found.extend(starts(file)), file):
        return [Part(0.0, reason)]
    return [Part(float(start), _refusal(partial(read, file, start), file)) for start in found]


def _refusal(attempt: Callable[[], Any], file: Path) -> str:
    try:
        attempt()
    except UserError as error:
        return str(error).removeprefix(f"{file}: ").replace(str(file), file.name)
    return ""
