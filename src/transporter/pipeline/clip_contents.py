"""What a user's clips hold, as hashes of their bytes. They are kept, and a file is read again only
when it has changed on the disk.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from transporter.clips.listing import Piece
from transporter.support.files import written_whole
from transporter.support.hashes import digest, file_hash

KEPT = Path("unfinished", "clip_contents")
"""The folder in which hashes are kept, a file for each folder of clips."""
MUCH = 1e9
"""Bytes that take so long to read that it is said."""
BLOCK = 2**20
"""Bytes that are read at once."""


def clip_contents(folder: Path, names: Sequence[str]) -> dict[str, str]:
    """Name to SHA-256 of the bytes of each file in `folder`; of one that is not there or may not be
    read, nothing.
    """
    return piece_contents(folder, {name: Piece(folder / name) for name in names})


def piece_contents(folder: Path, pieces: Mapping[str, Piece]) -> dict[str, str]:
    """The same of pieces by name, which may be parts of files; they are kept for `folder`."""
    kept = _read(folder)
    stamps = _stamps(pieces)
    known = {name: kept[name][1] for name in pieces if kept.get(name, (None,))[0] == stamps[name]}
    new = {name: piece for name, piece in pieces.items() if name not in known}
    _tell(new.values())
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        known |= zip(new, pool.map(_hash, new.values()), strict=True)
    found = {name: (stamps[name], known[name]) for name in pieces}
    if found != kept:
        _write(folder, found)
    return {name: known[name] for name in pieces}


def _stamps(pieces: Mapping[str, Piece]) -> dict[str, str]:
    """Of each piece the stamp of its file, and where it is in there."""
    files = {piece.file for piece in pieces.values()}
    stamp = {file: _stamp(file) for file in files}
    return {
        name: stamp[file] if size is None else f"{stamp[file]} {offset} {size}"
        for name, (file, offset, size) in pieces.items()
    }


def _stamp(file: Path) -> str:
    """Size, and the times of the last change of a file's bytes and of its entry, in nanoseconds: a
    file that was moved over another one may bring an old time with it, but its entry is new.
    """
    try:
        about = os.stat(file)
    except OSError:
        return ""
    return f"{about.st_size} {about.st_mtime_ns} {about.st_ctime_ns}"


def _hash(piece: Piece) -> str:
    try:
        return file_hash(piece.file) if piece.size is None else _part_hash(*piece)
    except OSError:
        return ""


def _part_hash(file: Path, offset: int, size: int) -> str:
    sha256 = hashlib.sha256()
    with file.open("rb") as whole:
        whole.seek(offset)
        while size > 0 and (some := whole.read(min(size, BLOCK))):
            sha256.update(some)
            size -= len(some)
    return sha256.hexdigest()


def _tell(pieces: Iterable[Piece]) -> None:
    pieces = list(pieces)
    size = sum(_size(piece) for piece in pieces)
    if size > MUCH:
        print(
            f"reading {len(pieces)} new or changed clips ({size / 1e9:.1f} GB) to know them by",
            file=sys.stderr,
            flush=True,
        )


def _size(piece: Piece) -> int:
    if piece.size is not None:
        return piece.size
    return piece.file.stat().st_size if piece.file.is_file() else 0


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
