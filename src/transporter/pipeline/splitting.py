"""Dividing a user's own clips into training, validation and held-out clips."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from transporter.support.errors import UserError

if TYPE_CHECKING:
    import pandas as pd


def choose_split(
    captions: pd.DataFrame, split: str, sizes: Mapping[str, float], seed: int, where: str
) -> pd.DataFrame:
    """The rows of `captions` that belong to `split`, in their order; no clip is in two splits.

    `sizes` says how many clips each split wants, a number of at least 1 or a share of all below it.
    The first of them, training, takes what is there when clips are few: the others are served
    before it.

    Clips are put in the order of a hash of the seed and their name, and the splits are cut from it
    side by side, the last split first. A clip that is added or removed moves one or two clips over
    a cut, and none from the first of three splits, training, to the last, the held-out one, or
    back.

    Raises:
        UserError: there are too few clips for one in every split; `where` names the table.
    """
    wanted = counts(sizes, len(captions))
    _, *others = wanted
    kept = sum(wanted[name] for name in others)
    if len(captions) <= kept:
        raise UserError(
            f"{where}: expected more than {kept} clips"
            f" ({', '.join(f'{wanted[name]} {name}' for name in others)}), got {len(captions)}"
        )
    names = captions["clip"].tolist()
    order = sorted(range(len(names)), key=lambda row: _place(names[row], seed))
    start = 0
    for name in reversed(wanted):
        end = start + wanted[name]
        if name == split:
            return captions.iloc[sorted(order[start:end])].reset_index(drop=True)
        start = end
    raise UserError(f"{where}: expected a split out of {', '.join(sizes)}, got {split!r}")


def _place(clip: str, seed: int) -> str:
    """Where a clip is in the order from which splits are cut, whatever other clips there are."""
    return hashlib.sha256(f"{seed} {clip}".encode()).hexdigest()


def counts(sizes: Mapping[str, float], clips: int) -> dict[str, int]:
    """Clips that each split wants out of `clips`: a share is rounded, to one clip at least, and up
    for the first split, which takes what others leave.
    """
    first, *others = sizes
    wanted = {first: math.ceil(sizes[first] * clips - 1e-9) if sizes[first] < 1 else sizes[first]}
    for name in others:
        share = max(1, round(sizes[name] * clips))
        wanted[name] = share if sizes[name] < 1 else sizes[name]
    return {name: int(size) for name, size in wanted.items()}
