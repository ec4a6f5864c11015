"""Prompts whose words are looked for in the clips that a generator makes of them."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from transporter.support.errors import UserError
from transporter.support.files import read_rows, written_whole
from transporter.support.text import refuse_control

COLUMNS = ("prompt", "things", "motions")
THING, MOTION = "thing", "motion"
COMMIT = "80d1b6d071a85464931b74549d789601c48b61f9"
RELEASED = (
    f"https://raw.githubusercontent.com/youngjun-jun/IMAP/{COMMIT}/json/MTBench_100/"
    "reference_video_prompts.json"
)
"""The 100 prompts that the released code of IMAP samples, with the words of each."""
SHA256 = "d852fc1ed6764770fe2f95321fdcd431cb7b0508592680908aa484849e7ecb84"
SECONDS = 60


@dataclass(frozen=True)
class Prompt:
    """What a clip is made of, and the words that are looked for in it."""

    text: str
    words: tuple[str, ...]
    kinds: tuple[str, ...]
    """Of each word: a thing or a motion."""


def read_prompts(path: str | os.PathLike[str]) -> list[Prompt]:
    """The prompts of a table (columns `prompt`, `things` and `motions`, words separated by commas),
    or of JSON as IMAP's authors have it (a list with `caption`, `concepts` and `object`), each
    once.

    Raises:
        UserError: no such file, no prompt, or one without text or words.
    """
    path = Path(path)
    rows = _of_json(path) if path.suffix == ".json" else _of_table(path)
    if not rows:
        raise UserError(f"{path}: expected at least one prompt, got none")
    return list(dict.fromkeys(_prompt(where, cells) for where, cells in rows.items()))


def fetch_prompts(path: str | os.PathLike[str], address: str = RELEASED) -> None:
    """Write the prompts of IMAP's authors, which come without a licence to hand them on.

    Raises:
        UserError: they cannot be reached, or are others than those of the pinned hash.
    """
    try:
        with urlopen(address, timeout=SECONDS) as answer:
            found = answer.read()
    except (OSError, HTTPException) as error:
        raise UserError(
            f"saliency.prompts.table: expected the prompts at {address}, got {error}; name a table"
            " of your own, or null"
        ) from None
    if (got := hashlib.sha256(found).hexdigest()) != SHA256:
        raise UserError(f"{address}: expected a file with SHA-256 {SHA256}, got {got}")
    with written_whole(path) as partial:
        partial.write_bytes(found)


def _of_table(path: Path) -> dict[str, tuple[str, ...]]:
    return {f"{path}, line {line}": cells for line, cells in read_rows(path, COLUMNS)}


def _of_json(path: Path) -> dict[str, tuple[str, ...]]:
    if not path.is_file():
        raise UserError(f"{path}: expected a file of prompts, found no such file")
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{path}: expected JSON, got {error}; download it again") from None
    if not isinstance(found, list):
        raise UserError(f"{path}: expected a list of prompts, got {type(found).__name__}")
    return {f"{path}, prompt {number}": _cells(row) for number, row in enumerate(found, start=1)}


def _cells(row: Any) -> tuple[str, ...]:
    """Those of a table, of a row of the authors' JSON."""
    row = row if isinstance(row, Mapping) else {}
    return tuple(str(row.get(key, "")) for key in ("caption", "concepts", "object"))


def _prompt(where: str, cells: tuple[str, ...]) -> Prompt:
    for name, cell in zip(COLUMNS, cells, strict=True):
        refuse_control(cell, f"{where}, column {name}")
    text, *lists = (cell.strip() for cell in cells)
    kinds: dict[str, str] = {}
    for kind, listed in zip((THING, MOTION), lists, strict=True):
        for word in map(str.strip, listed.split(",")):
            if word:
                kinds.setdefault(word, kind)
    if not text or not kinds:
        raise UserError(
            f"{where}: expected a prompt and words to look for, got {text!r} and {len(kinds)} words"
        )
    return Prompt(text, tuple(kinds), tuple(kinds.values()))
