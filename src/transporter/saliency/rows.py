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


def of_prompt(
    prompt: Pair, padding: Pair, words: torch.Tensor, seen: torch.Tensor, share: float | None
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Keys, values and counts of a prompt's L rows and of the row of padding.

    Args:
        words: how many rows of each prompt are words, `(B,)`.
        seen: which rows the model sees, `(B, L)`.
        share: of padding, the rest being words; None for all rows that are seen, alike.
    """
    k, v = (torch.cat(pair, 2) for pair in zip(prompt, padding, strict=True))
    if share is None:
        return k, v, torch.cat([seen, torch.zeros_like(seen[:, :1])], 1)
    named = (torch.arange(seen.shape[1]) < words[:, None]).float()
    counts = (1 - share) * named / named.sum(1, keepdim=True).clamp_min(1)
    return k, v, torch.cat([counts, torch.full((len(words), 1), share)], 1)
