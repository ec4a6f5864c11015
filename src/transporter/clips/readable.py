"""Which clips can be read; what is known of some bytes is not looked at again."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from transporter.support.errors import UserError
from transporter.support.files import read_table, write_table

COLUMNS = ("sha256", "reason")


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Wait until no other process is in such a block for `folder`, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def unreadable(
    clips: Mapping[str, Path], contents: Mapping[str, str], read: Callable[[Path], Any], known: Path
) -> dict[str, str]:
    """Name to reason of each of `clips` that `read` refuses with a `UserError`.

    Args:
        clips: name to file.
        contents: name to hash of what the file holds; "" where that cannot be had.
        read: tries a file.
        known: a table (columns `COLUMNS`) of what is known of hashes, which this call begins with
            and leaves behind; the reason of a clip that can be read is empty.
    """
    reasons = _known(known)
    found = {}
    for name, file in clips.items():
        content = contents[name]
        if content not in reasons or not content:
            reasons[content] = _refusal(read, file)
        found[name] = reasons[content]
    kept = [(content, reasons[content]) for content in dict.fromkeys(contents.values()) if content]
    write_table(pd.DataFrame(kept, columns=list(COLUMNS)), known)
    return {name: reason for name, reason in found.items() if reason}


def _known(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    table = read_table(path, COLUMNS, text=COLUMNS)
    return dict(zip(table["sha256"], table["reason"], strict=True))


def _refusal(read: Callable[[Path], Any], file: Path) -> str:
    try:
        read(file)
    except UserError as error:
        return str(error).removeprefix(f"{file}: ").replace(str(file), file.name)
    return ""
