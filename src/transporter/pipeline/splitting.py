"""Dividing a user's own clips into training, validation and held-out clips."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd

from transporter.support.errors import UserError


def choose_split(
    captions: pd.DataFrame, split: str, sizes: Mapping[str, float], seed: int, where: str
) -> pd.DataFrame:
    """The rows of `captions` that belong to `split`, in their order; no clip is in two splits.

    `sizes` says how many clips each split wants, a number of at least 1 or a share of all below it.
    The first of them, training, takes what is there when clips are few: the others are served
    before it.

    Raises:
        UserError: there are too few clips for one in every split; `where` names the table.
    """
    wanted = counts(sizes, len(captions))
    first, *others = wanted
    kept = sum(wanted[name] for name in others)
    if len(captions) <= kept:
        raise UserError(
            f"{where}: expected more than {kept} clips"
            f" ({', '.join(f'{wanted[name]} {name}' for name in others)}), got {len(captions)}"
        )
    order = np.random.default_rng(seed).permutation(len(captions))
    start = 0
    for name in (*others, first):
        rows = order[start : start + wanted[name]]
        if name == split:
            return captions.iloc[np.sort(rows)].reset_index(drop=True)
        start += wanted[name]
    raise UserError(f"{where}: expected a split out of {', '.join(sizes)}, got {split!r}")


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
