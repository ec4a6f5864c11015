"""Clips in tar files, as WebDataset and video2dataset have them: a sample is what shares a name up
to its first dot, `000001.mp4` with `000001.txt`, or with `000001.json` that holds a `caption`.

Headers and captions are read; whatever else a sample has (`.pyd`, `.pickle`) is passed over.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

from transporter.clips.listing import Entry, Listing, Piece, check_name, short, table_of
from transporter.support.errors import UserError
from transporter.support.files import written_whole

VIDEOS = ("mp4", "mkv", "webm", "avi", "mov", "m4v", "mpg", "mpeg", "ts", "flv", "ogv", "gif")
WORDS = ("txt", "json")
"""Suffixes of captions; the first that a sample has counts."""
MEMBERS = 10**6
"""Of an archive, at most."""
TEXT = 10**6
"""Bytes of a caption's file, at most."""


class _Sample(NamedTuple):
    videos: dict[str, tarfile.TarInfo]
    words: dict[str, tarfile.TarInfo]


def read_shards(folder: Path, files: Sequence[Path]) -> Listing:
    """The clips of all archives `files`, each named by its archive and its name in there,
    `shard-0000/000001.mp4`. Samples without a video are passed over.

    Raises:
        UserError: a file is no plain tar, is cut off, or has too many members; a member has a name
            that leads out, or is a link, a device or sparse; a sample has several videos, or no
            caption; no clip at all; or what `table_of` refuses.
    """
    entries: list[Entry] = []
    pieces: dict[str, Piece] = {}
    for path in files:
        for entry, piece in _clips(path):
            entries.append(entry)
            pieces[entry.clip] = piece
    if not entries:
        raise UserError(
            f"{folder}: expected archives with videos ({', '.join(VIDEOS)}), got none in"
            f" {files[0].name}{f' and {len(files) - 1} more' if len(files) > 1 else ''}"
        )
    table = table_of(entries)
    _refuse_files_as_folders(pieces, folder)
    return Listing(folder, None, table, pieces)


def _clips(path: Path) -> Iterator[tuple[Entry, Piece]]:
    try:
        # no compression, which could make much of little
        with tarfile.open(path, "r:") as archive:
            samples = _samples(archive, path)
            for sample in samples.values():
                if sample.videos:
                    [member] = sample.videos.values()
                    where = f"{path}, {short(member.name)}"
                    caption = _caption(archive, sample.words, where)
                    name = f"{path.name.removesuffix('.tar')}/{member.name.removeprefix('./')}"
                    yield Entry(where, name, caption), Piece(path, member.offset_data, member.size)
    except (tarfile.TarError, EOFError, ValueError, OverflowError) as error:
        raise UserError(
            f"{path}: expected a tar file, whole and not compressed, got: {str(error)[:100]}"
        ) from None


def _samples(archive: tarfile.TarFile, path: Path) -> dict[str, _Sample]:
    """Members by what they share of their name."""
    samples: dict[str, _Sample] = {}
    for number, member in enumerate(archive, start=1):
        if number > MEMBERS:
            raise UserError(f"{path}: expected at most {MEMBERS} members, got more; split it")
        if member.isdir():
            continue
        where = f"{path}, {short(member.name)}"
        name = member.name.removeprefix("./")
        check_name(name, where)
        if not member.isreg() or member.issparse():
            raise UserError(f"{where}: expected plain files, got a link, a device or a sparse file")
        above, slash, last = name.rpartition("/")
        stem, _, suffix = last.partition(".")
        sample = samples.setdefault(f"{above}{slash}{stem}", _Sample({}, {}))
        kinds = {**dict.fromkeys(VIDEOS, sample.videos), **dict.fromkeys(WORDS, sample.words)}
        if (kind := kinds.get(suffix.lower())) is not None:
            if suffix.lower() in kind or (kind is sample.videos and kind):
                raise UserError(f"{where}: expected one such file of a sample, got another")
            kind[suffix.lower()] = member
    return samples


def _caption(archive: tarfile.TarFile, words: Mapping[str, tarfile.TarInfo], where: str) -> str:
    chosen = next((suffix for suffix in WORDS if suffix in words), None)
    if chosen is None:
        raise UserError(f"{where}: expected a caption beside it, in .txt or .json, found none")
    member = words[chosen]
    if member.size > TEXT:
        raise UserError(f"{where}: expected a caption of at most {TEXT} bytes, got {member.size}")
    file = archive.extractfile(member)
    assert file is not None  # a regular file
    try:
        text = file.read().decode("utf-8-sig")
        return text if chosen == "txt" else _of_json(text, where)
    except (UnicodeDecodeError, RecursionError, json.JSONDecodeError) as error:
        raise UserError(
            f"{where}: expected a caption in UTF-8 beside it, got: {str(error)[:100]}"
        ) from None


def _of_json(text: str, where: str) -> str:
    about: Any = json.loads(text)
    caption = about.get("caption") if isinstance(about, Mapping) else None
    if not isinstance(caption, str):
        raise UserError(f"{where}: expected a text as caption of its .json, found none")
    return caption


def _refuse_files_as_folders(names: Mapping[str, Piece], folder: Path) -> None:
    """Raise a `UserError` for a clip whose name another clip has as a folder."""
    for name in names:
        parts = name.split("/")
        above = ("/".join(parts[:count]) for count in range(1, len(parts)))
        if taken := next((one for one in above if one in names), None):
            raise UserError(f"{folder}: {short(taken)} is a clip and a folder of others; rename it")


def unpacked(piece: Piece, content: str, folder: Path) -> Path:
    """A clip as a file of its own in `folder`, named by the hash of its `content`; it is taken out
    of its archive unless it is there.

    Raises:
        UserError: the archive cannot be read, or is shorter than it was when it was listed.
    """
    if not content:
        raise UserError(f"{piece.file}: expected a tar file, it cannot be read")
    target = folder / content
    if not target.is_file():
        with written_whole(target) as partial, piece.file.open("rb") as archive:
            archive.seek(piece.offset)
            with partial.open("xb") as file:
                _copy(archive, file, piece.size or 0, piece.file)
    return target


def _copy(archive: IO[bytes], file: IO[bytes], size: int, path: Path) -> None:
    while size > 0:
        some = archive.read(min(size, 2**20))
        if not some:
            raise UserError(f"{path}: expected {size} bytes more, the file ends; copy it again")
        file.write(some)
        size -= len(some)
