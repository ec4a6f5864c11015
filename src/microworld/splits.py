"""The splits of the microworld: which clips each holds, before any is rendered."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np

from microworld.attributes import Attributes, draw_attributes

SPLITS: Mapping[str, bool] = {"train": False, "validation": False, "held_out": True}
"""Split -> whether it holds the combinations of attributes that no training clip has."""


def split_seed(seed: int, split: str) -> int:
    """A seed of its own for each named split, so that no two splits share clips."""
    return int.from_bytes(hashlib.sha256(f"{seed} {split}".encode()).digest()[:8])


def draw_clip(
    index: int, seed: int, held_out: bool | None
) -> tuple[Attributes, np.random.Generator]:
    """The attributes of clip `index` of the split with this seed, and what is drawn from after
    them.
    """
    rng = np.random.default_rng([seed, index])
    return draw_attributes(rng, held_out), rng
