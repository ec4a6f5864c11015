"""Clips with a list as VATEX has it (Wang et al., ICCV 2019): a file of JSON, `[{"videoID": ...,
"enCap": [...]}, ...]`, and the clips in `clips/`, each named by its `videoID`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from transporter.clips.listing import Entry, Listing, check_name, short, table_of
from transporter.support.errors import UserError

CLIPS = "clips"
MOST = 2**30
"""Bytes of a list, at most; the published one has 60 million."""
EXPECTED = "a list of {videoID, enCap}"


def read_vatex(folder: Path, files: Sequence[Path]) -> Listing:
    """The clips of the list `files`, which is one, with the first English caption of each.

    Many published clips are gone: those whose file is not there are `absent`.

    Raises:
        UserError: no such list, an entry that is none, two files for one clip, no clip at all, or
            what `table_of` refuses.
    """
    entries = list(_entries(files[0]))
    found = _by_stem(folder / CLIPS)
    there = [entry._replace(clip=found[entry.clip]) for entry in entries if entry.clip in found]
    if not there:
        raise UserError(
            f"{files[0]}: expected clips in {folder / CLIPS}, named by videoID, got none of"
            f" {len(entries)}"
        )
    absent = tuple(entry.clip for entry in entries if entry.clip not in found)
    return Listing(files[0], folder / CLIPS, table_of(there), absent=absent)


def _entries(path: Path) -> Iterator[Entry]:
    for number, one in enumerate(_list(path), start=1):
        where = f"{path}, entry {number}"
        if not isinstance(one, Mapping) or not isinstance(name := one.get("videoID"), str):
            raise UserError(f"{where}: expected {EXPECTED}, got no videoID")
        captions = one.get("enCap")
        if not isinstance(captions, list) or not captions or not isinstance(captions[0], str):
            raise UserError(f"{where}: expected a list of captions as enCap of {short(name)}")
        check_name(name, where)
        yield Entry(where, name, captions[0])


def _list(path: Path) -> list[Any]:
    if path.stat().st_size > MOST:
        raise UserError(f"{path}: expected {EXPECTED} of at most {MOST} bytes, got more")
    try:
        made = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: expected {EXPECTED}, got: {str(error)[:100]}") from None
    if not isinstance(made, list):
        raise UserError(f"{path}: expected {EXPECTED}, got {type(made).__name__}")
    return made


def _by_stem(folder: Path) -> dict[str, str]:
    """Names without their suffix to names, of the files of a folder."""
    found: dict[str, str] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        if path.stem in found:
            raise UserError(
                f"{folder}: expected one file for each videoID, got {short(found[path.stem])} and"
                f" {short(path.name)}; remove one"
            )
        if not path.name.startswith("."):
            found[path.stem] = path.name
    return found
