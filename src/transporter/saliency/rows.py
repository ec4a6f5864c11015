"""Rows of text: which stand for a word, and which a word is taken against."""

from __future__ import annotations

from collections.abc import Sequence

import torch

Pair = tuple[torch.Tensor, torch.Tensor]
"""Keys and values, `(B, H, rows, d)` each."""


def sub_words(tokens: Sequence[int], surrogate: str) -> list[int]:
    """Those of a word's tokens that stand for it, their mean for all."""
    return list(tokens[:1] if surrogate == "first" else tokens)


def listed(
    words: Pair, padding: Pair, total: int, rows: str
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Keys, values and counts of the rows beside a word, of `total` that a text has: padding for
    all but itself (`pad`), or the words that are listed and padding (`list`).
    """
    clips, count = len(words[0]), words[0].shape[2]
    if rows == "pad":
        return *padding, torch.full((clips, 1), total - 1.0)
    k, v = (torch.cat(pair, 2) for pair in zip(words, padding, strict=True))
    counts = torch.ones(clips, count + 1)
    counts[:, -1] = max(total - count, 0)
    return k, v, counts
