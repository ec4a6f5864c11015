"""Embeddings of a folder of clips, to read: shards of tensors, and a table that says which row is
whose.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from transporter.clips.stored import RESIDENT, Rows, StoredRows, row_bytes
from transporter.support.errors import UserError
from transporter.support.files import read_table

INDEX = "index.tsv"
INDEX_COLUMNS = ("clip", "shard", "row")
SHARD = r"shard-\d{5,}\.safetensors"


class Embeddings(NamedTuple):
    """`values[i]` belongs to `clips[i]`, a clip's name in its table."""

    clips: list[str]
    values: Rows


def shard_name(index: int) -> str:
    """The file of a shard, counted from 0."""
    return f"shard-{index:05d}.safetensors"


def read_index(folder: Path) -> pd.DataFrame:
    """The table of a folder, columns `INDEX_COLUMNS` and maybe others.

    Raises:
        UserError: there is none, or it names files that are no shards.
    """
    if not (folder / INDEX).is_file():
        raise UserError(
            f"{folder}: expected embeddings with an {INDEX}, found none; an interrupted run has not"
            " written it yet"
        )
    index = read_table(folder / INDEX, INDEX_COLUMNS, text=("clip", "shard"))
    for name in index["shard"].unique():
        if not re.fullmatch(SHARD, name):
            raise UserError(
                f"{folder / INDEX}, column shard: expected names such as {shard_name(0)}, got"
                f" {name!r}"
            )
    return index


def load_embeddings(folder: Path) -> Embeddings:
    """Read a whole embeddings folder: clips and their values `(n, ...)`, float32.

    Raises:
        UserError: there is no index, or a shard is missing or does not hold the rows that the index
            names.
    """
    index = read_index(folder)
    parts = []
    for name, rows in index.groupby("shard", sort=False)["row"]:
        try:
            parts.append(load_file(folder / name)["values"][rows.tolist()].float())
        except (FileNotFoundError, SafetensorError, KeyError, IndexError) as error:
            raise UserError(
                f"{folder / name}: expected {len(rows)} rows, named by {INDEX}, could not read them"
                f" ({error})"
            ) from None
    return Embeddings(index["clip"].tolist(), torch.cat(parts))


def open_embeddings(folder: Path, resident: int = RESIDENT) -> Embeddings:
    """An embeddings folder whose values are read whole up to `resident` bytes of float32; larger
    ones stay on disk, and rows are read when they are asked for.

    Raises:
        UserError: there is no index, or a shard is missing or does not hold the rows that the index
            names; of those on disk this shows when they are read.
    """
    index = read_index(folder)
    shards = index["shard"].map(folder.joinpath)
    stored = StoredRows(list(zip(shards, index["row"].tolist(), strict=True)))
    if len(stored) * row_bytes(stored) <= resident:
        return load_embeddings(folder)
    return Embeddings(index["clip"].tolist(), stored)


def aligned(*embeddings: Embeddings) -> list[Embeddings]:
    """The same clips of each, those that all of them have, in the order of the first.

    Raises:
        UserError: they have no clip in common.
    """
    common = set.intersection(*(set(some.clips) for some in embeddings))
    clips = [clip for clip in embeddings[0].clips if clip in common]
    if not clips:
        sizes = ", ".join(str(len(some.clips)) for some in embeddings)
        raise UserError(
            f"embeddings of {sizes} clips: expected clips in common, got none; were they made from"
            " one folder?"
        )
    return [_picked(some, clips) for some in embeddings]


def _picked(embeddings: Embeddings, clips: list[str]) -> Embeddings:
    """The rows of `clips`, in their order."""
    place = {clip: row for row, clip in enumerate(embeddings.clips)}
    rows, values = [place[clip] for clip in clips], embeddings.values
    return Embeddings(clips, values.only(rows) if isinstance(values, StoredRows) else values[rows])
