"""A folder with a table of captions, `captions.tsv`, and the clips in `clips/`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from transporter.clips.listing import COLUMNS, Listing, is_below, short
from transporter.support.errors import UserError
from transporter.support.files import read_table

if TYPE_CHECKING:
    import pandas as pd

TABLE, CLIPS = "captions.tsv", "clips"


def read_folder(folder: Path, files: Sequence[Path]) -> Listing:
    """The clips of the table `files`, which is one, of a folder."""
    return Listing(files[0], folder / CLIPS, read_captions(files[0]))


def read_captions(path: Path) -> pd.DataFrame:
    """The table of a folder's clips, columns `clip` and `caption`, both text. A clip is named as
    seen from the folder `clips` beside the table, `0001.mp4` or `day1/0001.mp4`.

    Raises:
        UserError: the table cannot be read, or a row has no clip, no caption, a name that leads out
            of the folder, or the clip of another row.
    """
    table = read_table(path, COLUMNS, text=COLUMNS)
    for column in COLUMNS:
        empty = table.index[table[column].str.strip() == ""]
        if len(empty):
            raise UserError(
                f"{path}, line {empty[0] + 2}, column {column}: expected text, got none"
            )
    for row, clip in zip(table.index, table["clip"], strict=True):
        if not is_below(clip):
            raise UserError(
                f"{path}, line {row + 2}, column clip: expected the name of a file in"
                f" {path.parent / CLIPS}, as day1/0001.mp4, got {short(clip)}"
            )
    twice = table.index[table["clip"].duplicated()]
    if len(twice):
        clip = table["clip"][twice[0]]
        raise UserError(
            f"{path}, line {twice[0] + 2}, column clip: {short(clip)} stands there twice; remove"
            " one"
        )
    return table
