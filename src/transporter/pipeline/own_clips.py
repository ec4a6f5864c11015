"""A user's own clips, looked at before any job starts: are they there and enough, and do captions
hold the words of the run?
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from transporter.clips.contrast import Concept
from transporter.pipeline.splitting import choose_split
from transporter.support.errors import UserError
from transporter.support.files import read_table

COLUMNS = ("clip", "caption")
TABLE = "captions.tsv"


def read_captions(path: Path) -> pd.DataFrame:
    """The table of a folder's clips, columns `clip` and `caption`, both text.

    Raises:
        UserError: the table cannot be read, or a row has no clip, no caption, or the clip of
            another row.
    """
    table = read_table(path, COLUMNS, text=COLUMNS)
    for column in COLUMNS:
        empty = table.index[table[column].str.strip() == ""]
        if len(empty):
            raise UserError(
                f"{path}, line {empty[0] + 2}, column {column}: expected text, got none"
            )
    twice = table.index[table["clip"].duplicated()]
    if len(twice):
        clip = table["clip"][twice[0]]
        raise UserError(
            f"{path}, line {twice[0] + 2}, column clip: {clip!r} stands there twice; remove one"
        )
    return table


def check_clips(
    folder: Path, splits: Mapping[str, float], seed: int, concepts: Sequence[Concept]
) -> None:
    """Check the clips of `folder`, divided as a run with these `splits` and this `seed` will.

    Raises:
        UserError: the table cannot be read, a clip that it names is not there, clips are too few,
            or a concept has no caption in a split that needs one.
    """
    path = folder / TABLE
    table = read_captions(path)
    _check_files(table, folder)
    captions = {
        split: choose_split(table, split, splits, seed, str(path))["caption"].tolist()
        for split in splits
    }
    _check_words(concepts, captions["train"], captions["held_out"], path)


def _check_files(table: pd.DataFrame, folder: Path) -> None:
    there = {file.name for file in (folder / "clips").iterdir()}
    missing = [
        clip
        for clip in table["clip"]
        if clip not in there and not (folder / "clips" / clip).is_file()
    ]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise UserError(
            f"expected the clips that {folder / TABLE} names in {folder / 'clips'}, got no"
            f" {missing[0]}{more}"
        )


def _check_words(
    concepts: Sequence[Concept], train: Sequence[str], held_out: Sequence[str], path: Path
) -> None:
    """Every concept is fitted on training captions, and tried on held-out ones of other pairs."""
    lacks = {concept.name: _lack(concept, train, held_out) for concept in concepts}
    if lacking := [f"{name} ({lack})" for name, lack in lacks.items() if lack]:
        served = ", ".join(name for name, lack in lacks.items() if not lack)
        others = f", or run those that have them (run.concepts: {served})" if served else ""
        raise UserError(
            f"expected captions in {path} with the words of every concept of the run, got too few"
            f" for {', '.join(lacking)}; add clips{others}"
        )


def _lack(concept: Concept, train: Sequence[str], held_out: Sequence[str]) -> str | None:
    """The splits in which a concept has no caption that could be used; None where it has some."""
    known = set(train)
    # a pair was fitted on if a training caption is one of its two
    pairs = (pair for caption in held_out if (pair := concept.pair(caption)))
    lacking = [] if any(map(concept.pair, train)) else ["train"]
    lacking += [] if any(known.isdisjoint(pair) for pair in pairs) else ["held_out"]
    words = f"no new caption with {concept.source!r} or {concept.target!r}"
    return f"{words} in {' and '.join(lacking)}" if lacking else None
