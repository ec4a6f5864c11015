"""What a user's clips hold, as hashes of their bytes. They are kept, and a file is read again only
when it has changed on the disk.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from transporter.support.files import written_whole
from transporter.support.hashes import digest, file_hash

KEPT = Path("unfinished", "clip_contents")
"""The folder in which hashes are kept, a file for each folder of clips."""
MUCH = 1e9
"""Bytes that take so long to read that it is said."""


def clip_contents(folder: Path, names: Sequence[str]) -> dict[str, str]:
    """Name to SHA-256 of the bytes of each file in `folder`; of one that is not there or may not be
    read, nothing.
    """
    kept = _read(folder)
    stamps = {name: _stamp(folder / name) for name in names}
    known = {name: kept[name][1] for name in names if kept.get(name, (None,))[0] == stamps[name]}
    new = [name for name in names if name not in known]
    _tell([folder / name for name in new])
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        known |= zip(new, pool.map(lambda name: _hash(folder / name), new), strict=True)
    found = {name: (stamps[name], known[name]) for name in names}
    if found != kept:
        _write(folder, found)
    return {name: known[name] for name in names}


def _stamp(file: Path) -> str:
    """Size, and the times of the last change of a file's bytes and of its entry, in nanoseconds: a
    file that was moved over another one may bring an old time with it, but its entry is new.
    """
    try:
        about = file.stat()
    except OSError:
        return ""
    return f"{about.st_size} {about.st_mtime_ns} {about.st_ctime_ns}"


def _hash(file: Path) -> str:
    try:
        return file_hash(file)
    except OSError:
        return ""


def _tell(files: Sequence[Path]) -> None:
    size = sum(file.stat().st_size for file in files if file.is_file())
    if size > MUCH:
        print(
            f"reading {len(files)} new or changed clips ({size / 1e9:.1f} GB) to know them by",
            file=sys.stderr,
            flush=True,
        )


def _place(folder: Path) -> Path:
    return KEPT / f"{digest(os.path.abspath(folder))}.json"


def _read(folder: Path) -> dict[str, tuple[str, str]]:
    """Name to stamp and hash of what is kept of a folder; nothing where that is not there or
    damaged.
    """
    try:
        kept = json.loads(_place(folder).read_text(encoding="utf-8"))
        return {str(name): (str(stamp), str(content)) for name, (stamp, content) in kept.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _write(folder: Path, found: Mapping[str, tuple[str, str]]) -> None:
    """Keep what was found; where nothing may be written, it is found again next time."""
    try:
        with written_whole(_place(folder)) as partial:
            partial.write_text(json.dumps(found), encoding="utf-8")
    except OSError:
        return
