"""Dividing a user's own clips into training, validation and held-out clips."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from transporter.support.errors import UserError


def choose_split(
    captions: pd.DataFrame, split: str, sizes: Mapping[str, int], seed: int, where: str
) -> pd.DataFrame:
    """The rows of `captions` that belong to `split`, in their order; no clip is in two splits.

    `sizes` says how many clips each split wants. The first of them, training, takes what is there
    when clips are few: the others are served before it.

    Raises:
        UserError: there are too few clips for one in every split; `where` names the table.
    """
    first, *others = sizes
    kept = sum(sizes[name] for name in others)
    if len(captions) <= kept:
        raise UserError(
            f"{where}: expected more than {kept} clips"
            f" ({', '.join(f'{sizes[n]} {n}' for n in others)}), got {len(captions)}"
        )
    order = np.random.default_rng(seed).permutation(len(captions))
    start = 0
    for name in (*others, first):
        rows = order[start : start + sizes[name]]
        if name == split:
            return captions.iloc[np.sort(rows)].reset_index(drop=True)
        start += sizes[name]
    raise UserError(f"{where}: expected a split out of {', '.join(sizes)}, got {split!r}")
