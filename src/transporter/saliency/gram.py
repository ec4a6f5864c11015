"""What a head says of every token: Gram columns and their rivals, on one scale, against other text.

Shapes: heads' tensors are `(B, H, N, d)` of `N = F P` visual tokens, frame by frame; text is
`(B, H, K, d)`; scores are `(B, H, K, F, P)`. All is computed at least in single precision.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from transporter.saliency.settings import MapSettings


@dataclass(frozen=True)
class Heads:
    """What one attention has of the visual tokens, `(B, H, N, d)` each: the queries that texts are
    matched with, and the output before its projection.
    """

    q: torch.Tensor
    h: torch.Tensor
    frames: int
    """F, the latent frames that the N tokens lie in."""


@dataclass(frozen=True)
class Texts:
    """Rows of text as one attention has them: the words, and the rows that they are taken against.

    Attributes:
        k, v: keys, and values (or outputs), of the words, `(B, H, n, d)`.
        other_k, other_v: those of the other rows, `(B, H, m, d)`.
        counts: how many rows of text each of the other ones stands for, or its weight; 0 for a row
            that does not count, `(B, m)`.
    """

    k: torch.Tensor
    v: torch.Tensor
    other_k: torch.Tensor
    other_v: torch.Tensor
    counts: torch.Tensor


def surrogates(q: torch.Tensor, k: torch.Tensor, frames: int) -> torch.Tensor:
    """`s = argmax_p q_p . k_c / sqrt(d)` over the P tokens of each frame, `(B, H, K, F)`."""
    return matches(q, k, frames).argmax(-1)


def matches(q: torch.Tensor, k: torch.Tensor, frames: int) -> torch.Tensor:
    """`q_p . k_c / sqrt(d)`, `(B, H, K, F, P)`."""
    scores = k @ q.mT / q.shape[-1] ** 0.5
    return scores.unflatten(-1, (frames, -1))


def gram_columns(heads: Heads, k: torch.Tensor) -> torch.Tensor:
    """`<h_s, h_p>` of every token p with its frame's surrogate s, `(B, H, K, F, P)`."""
    chosen = surrogates(heads.q, k, heads.frames)
    h = heads.h.unflatten(2, (heads.frames, -1))  # (B, H, F, P, d)
    index = chosen.transpose(2, 3)[..., None].expand(*(-1,) * 4, h.shape[-1])
    columns = h.gather(3, index) @ h.mT  # (B, H, F, K, P)
    return columns.transpose(2, 3)


def scores(heads: Heads, texts: Texts, settings: MapSettings) -> torch.Tensor:
    """What each head says of every token and word, on one scale: `(B, H, n, F, P)`."""
    heads, texts = _precise(heads, texts)
    words = texts.k.shape[2]
    if settings.method == "query_key" and settings.contrast_first:
        # a match is linear in the key, so the contrast is one key's
        counts = texts.counts[:, None, :, None]
        k = texts.k - _mean(texts.other_k, counts)
        return standardised(matches(heads.q, k, heads.frames), settings.standardise)
    rows = _scored(heads, texts, settings.method)
    return _contrasted(rows[:, :, :words], rows[:, :, words:], texts.counts, settings)


def _precise(heads: Heads, texts: Texts) -> tuple[Heads, Texts]:
    dtype = torch.promote_types(heads.h.dtype, torch.float32)
    names = ("k", "v", "other_k", "other_v", "counts")
    return (
        replace(heads, q=heads.q.to(dtype), h=heads.h.to(dtype)),
        replace(texts, **{name: getattr(texts, name).to(heads.h.device, dtype) for name in names}),
    )


def _scored(heads: Heads, texts: Texts, method: str) -> torch.Tensor:
    """Of the words, then of the other rows."""
    k = torch.cat([texts.k, texts.other_k], 2)
    if method == "gram":
        return gram_columns(heads, k)
    if method == "query_key":
        return matches(heads.q, k, heads.frames)
    if method == "cross_attention":
        return _shares(matches(heads.q, k, heads.frames), texts)
    v = torch.cat([texts.v, texts.other_v], 2)
    return _shares(matches(heads.h, v, heads.frames) * heads.h.shape[-1] ** 0.5, texts)


def _shares(logits: torch.Tensor, texts: Texts) -> torch.Tensor:
    """Softmax over the rows of text, each as often as it counts. A word that is not among them, as
    where the prompt lacks it, has its share relative to theirs.
    """
    words = texts.k.shape[2]
    weights = texts.counts[:, None, :, None, None].log()
    total = (logits[:, :, words:] + weights).logsumexp(2, keepdim=True)
    return (logits - total).exp()


def _contrasted(
    words: torch.Tensor, others: torch.Tensor, counts: torch.Tensor, settings: MapSettings
) -> torch.Tensor:
    counts = counts[:, None, :, None, None]  # as (B, H, m, F, P)
    if settings.standardise == "texts":
        alone = settings.contrast == "pad"
        return _among_padding(words, others, counts) if alone else _among(words, others, counts)
    if settings.contrast == "none":
        return standardised(words, settings.standardise)
    if settings.contrast_of == "scores":
        return standardised(words - _mean(others, counts), settings.standardise)
    words, others = (standardised(part, settings.standardise) for part in (words, others))
    return words - _mean(others, counts)


def _mean(rows: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    return (counts * rows).sum(2, keepdim=True) / counts.sum(2, keepdim=True)


def standardised(rows: torch.Tensor, how: str) -> torch.Tensor:
    """Over a frame's tokens, the last axis, or the whole clip's, the last two; what is the same
    everywhere becomes 0.
    """
    if how == "none":
        return rows
    if how == "clip":
        return standardised(rows.flatten(-2), "tokens").view_as(rows)
    if how == "minmax":
        low, high = rows.aminmax(dim=-1, keepdim=True)
        return _ratio(rows - low, high - low)
    return _ratio(rows - rows.mean(-1, keepdim=True), rows.std(-1, keepdim=True))


def _among_padding(
    words: torch.Tensor, padding: torch.Tensor, counts: torch.Tensor
) -> torch.Tensor:
    """Each word among T - 1 rows of padding: `+-(T - 1) / sqrt(T)`."""
    total, apart = counts + 1, words - padding
    apart = apart.where(apart.abs() > 8 * torch.finfo(apart.dtype).eps * words.abs().amax(), 0)
    return apart.sign() * (total - 1) / total.sqrt()


def _among(words: torch.Tensor, rows: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    """By mean and deviation over all T rows of text, of every head and token by itself."""
    mean = _mean(rows, counts)
    variance = (counts * (rows - mean).square()).sum(2, keepdim=True)
    variance = variance / (counts.sum(2, keepdim=True) - 1)
    return _ratio(words - mean, variance.sqrt())


def _ratio(top: torch.Tensor, bottom: torch.Tensor) -> torch.Tensor:
    """0 where rows differ by rounding alone."""
    eps = 8 * torch.finfo(top.dtype).eps
    apart = bottom > eps * bottom.amax()
    return torch.where(apart, top / bottom.where(apart, 1), 0)
