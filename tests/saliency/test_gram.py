"""Formulas of maps, against loops in float64 that say what the paper and the released code say."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from transporter.saliency.gram import Heads, Texts, gram_columns, scores
from transporter.saliency.rows import listed, of_prompt, sub_words
from transporter.saliency.settings import PRESETS, MapSettings, preset
from transporter.support.errors import UserError

B, H, F, P, D, N, T = 2, 3, 4, 6, 5, 2, 11
"""Clips, heads, frames, tokens of a frame, width, words, rows of text."""


def _draw(*shape: int) -> torch.Tensor:
    return torch.randn(
        *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(len(shape) + shape[2])
    )


@pytest.fixture
def heads() -> Heads:
    return Heads(_draw(B, H, F * P, D), _draw(B, H, F * P, D).flip(2), F)


@pytest.fixture
def prompt() -> torch.Tensor:
    """Keys of a prompt of T rows, whose second and sixth are the words."""
    return _draw(B, H, T, D)


def _column(heads: Heads, b: int, h: int, f: int, k: torch.Tensor) -> np.ndarray:
    """The Gram column of the surrogate, token by token."""
    frame = range(f * P, (f + 1) * P)
    match = [float(heads.q[b, h, p] @ k) / math.sqrt(D) for p in frame]
    surrogate = frame[int(np.argmax(match))]
    return np.array([float(heads.h[b, h, surrogate] @ heads.h[b, h, p]) for p in frame])


def _rows(heads: Heads, keys: torch.Tensor) -> np.ndarray:
    """Columns of every row of text, `(B, H, rows, F, P)`."""
    out = np.zeros((B, H, keys.shape[2], F, P))
    for b, h, row, f in np.ndindex(B, H, keys.shape[2], F):
        out[b, h, row, f] = _column(heads, b, h, f, keys[b, h, row])
    return out


def _texts(
    keys: torch.Tensor, words: list[int], others: torch.Tensor, counts: torch.Tensor
) -> Texts:
    return Texts(keys[:, :, words], keys[:, :, words], others, others, counts)


def test_a_column_is_that_of_the_best_match(heads: Heads, prompt: torch.Tensor) -> None:
    assert np.allclose(gram_columns(heads, prompt).numpy(), _rows(heads, prompt), atol=1e-12)


def test_the_released_map_of_a_prompt_is_standardised_over_its_rows(
    heads: Heads, prompt: torch.Tensor
) -> None:
    rows = _rows(heads, prompt)
    expected = (rows - rows.mean(2, keepdims=True)) / rows.std(2, ddof=1, keepdims=True)
    texts = _texts(prompt, [1, 5], prompt, torch.ones(B, T))
    found = scores(heads, texts, preset("imap_released_wan"))
    assert np.allclose(found.numpy(), expected[:, :, [1, 5]], atol=1e-9)


def test_the_released_map_of_a_list_is_standardised_over_it_and_padding(
    heads: Heads, prompt: torch.Tensor
) -> None:
    words, padding = prompt[:, :, [1, 5]], prompt[:, :, -1:]
    whole = torch.cat([words, padding.expand(-1, -1, T - N, -1)], 2)
    rows = _rows(heads, whole)
    deviation = rows.std(2, ddof=1, keepdims=True)
    # where all rows have one surrogate nothing tells them apart
    deviation[deviation < 1e-9] = np.inf
    expected = (rows - rows.mean(2, keepdims=True)) / deviation
    k, v, counts = listed((words, words), (padding, padding), T, "list")
    found = scores(heads, Texts(words, words, k, v, counts), preset("imap_released"))
    assert np.allclose(found.numpy(), expected[:, :, :N], atol=1e-9)


def test_one_word_among_padding_is_a_vote_of_signs(heads: Heads, prompt: torch.Tensor) -> None:
    word, padding = prompt[:, :, :1], prompt[:, :, -1:]
    for rows in ("list", "pad"):
        k, v, counts = listed((word, word), (padding, padding), T, rows)
        settings = replace(PRESETS["imap_released"], contrast=rows)
        found = scores(heads, Texts(word, word, k, v, counts), settings)
        votes = found[found != 0].abs().numpy()
        assert len(votes) > 50
        assert votes == pytest.approx((T - 1) / T**0.5)


@pytest.mark.parametrize("contrast_of", ["scores", "maps"])
def test_a_map_is_standardised_over_a_frames_tokens(
    heads: Heads, prompt: torch.Tensor, contrast_of: str
) -> None:
    def scale(rows: np.ndarray) -> np.ndarray:
        return (rows - rows.mean(-1, keepdims=True)) / rows.std(-1, ddof=1, keepdims=True)

    rows = _rows(heads, prompt)
    words, mean = rows[:, :, [1, 5]], rows.mean(2, keepdims=True)
    before = scale(words - mean)
    after = scale(words) - scale(rows).mean(2, keepdims=True)
    settings = MapSettings(method="gram", contrast="prompt", contrast_of=contrast_of)
    found = scores(heads, _texts(prompt, [1, 5], prompt, torch.ones(B, T)), settings)
    assert np.allclose(found.numpy(), before if contrast_of == "scores" else after, atol=1e-9)


def test_minmax_goes_from_0_to_1_in_every_frame(heads: Heads, prompt: torch.Tensor) -> None:
    settings = MapSettings(method="gram", standardise="minmax", contrast="none")
    found = scores(heads, _texts(prompt, [1], prompt, torch.ones(B, T)), settings)
    assert torch.equal(found.amin(-1), torch.zeros(B, H, 1, F).double())
    assert torch.equal(found.amax(-1), torch.ones(B, H, 1, F).double())


def test_cross_attention_is_a_softmax_over_what_is_not_masked(
    heads: Heads, prompt: torch.Tensor
) -> None:
    seen = torch.ones(B, T)
    seen[1, 7:] = 0
    logits = torch.einsum("bhpd,bhtd->bhtp", heads.q, prompt) / D**0.5
    logits[1, :, 7:] = -torch.inf
    expected = logits.softmax(2)[:, :, [1, 5]].unflatten(-1, (F, P))
    found = scores(heads, _texts(prompt, [1, 5], prompt, seen), preset("cross_attention"))
    assert torch.allclose(found, expected, atol=1e-12)


def test_a_row_that_is_the_same_everywhere_is_0(prompt: torch.Tensor) -> None:
    flat = Heads(torch.ones(B, H, F * P, D).double(), torch.ones(B, H, F * P, D).double(), F)
    for name in ("gramcol", "imap_released_wan"):
        texts = _texts(prompt, [1], prompt, torch.ones(B, T))
        assert not scores(flat, texts, preset(name)).any()


def test_a_first_sub_word_or_their_mean() -> None:
    assert sub_words((3, 4, 5), "first") == [3]
    assert sub_words((3, 4, 5), "mean") == [3, 4, 5]


def test_choices_that_mean_nothing_are_refused() -> None:
    with pytest.raises(UserError, match="expected a contrast"):
        MapSettings(standardise="texts", contrast="none")
    with pytest.raises(UserError, match="expected the first share less than the last"):
        MapSettings(steps=(0.5, 0.2))
    with pytest.raises(UserError, match="expected one of imap_released"):
        preset("imap")


def test_a_share_of_the_contrast_is_padding(heads: Heads, prompt: torch.Tensor) -> None:
    """Of queries and keys it is that of a mean key, as their match is linear."""
    pad = torch.zeros(B, H, 1, D).double()
    words = torch.tensor([4, 7])
    rows = of_prompt((prompt, prompt), (pad, pad), words, torch.ones(B, T), 0.25)
    texts = Texts(prompt[:, :, [1]], prompt[:, :, [1]], *rows)
    settings = MapSettings(standardise="none", contrast="prompt", padding=0.25)
    found = scores(heads, texts, settings)[:, :, 0].flatten(2)
    for clip, count in enumerate((4, 7)):
        other = 0.75 * prompt[clip, :, :count].mean(1)
        expected = (heads.q[clip] @ (prompt[clip, :, 1] - other)[..., None])[..., 0] / D**0.5
        assert torch.allclose(found[clip], expected, atol=1e-6)


def test_a_prompts_rows_are_alike_where_no_share_is_said(prompt: torch.Tensor) -> None:
    seen = torch.ones(B, T)
    seen[0, 6:] = 0
    pair = (prompt, prompt)
    k, _, counts = of_prompt(pair, (prompt[:, :, :1],) * 2, torch.tensor([4, 7]), seen, None)
    assert torch.equal(k[:, :, :-1], prompt)
    assert torch.equal(counts[:, :-1], seen)
    assert not counts[:, -1].any()
