"""Visual tokens pooled in time and space, against the means of the tokens that they stand for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from transporter.pipeline.loading import load_vlm, stored_precision
from transporter.support.errors import UserError
from transporter.vlms.pooled import PooledVLM, pooled_grid
from transporter.vlms.transformers_vlm import TransformersVLM

PROMPT = "how fast does it move ?"


@pytest.fixture(scope="module")
def name() -> str:
    return "qwen_vl"


@pytest.fixture(scope="module")
def pooled(vlm: TransformersVLM) -> PooledVLM:
    """Of 2 steps of 4 x 4 tokens, 2 of 2 x 2."""
    return PooledVLM(vlm, 8)


def test_the_longest_side_gives_way() -> None:
    assert pooled_grid((8, 8, 14), 896) == (8, 8, 14)
    assert pooled_grid((8, 8, 14), 895) == (8, 8, 13)
    assert pooled_grid((25, 17, 30), 1000) == (10, 10, 10)
    assert pooled_grid((3, 1, 1), 1) == (1, 1, 1)


def test_pooled_tokens_are_means(
    vlm: TransformersVLM, pooled: PooledVLM, video: torch.Tensor
) -> None:
    assert (pooled.grid, pooled.pooled_grid) == ((2, 4, 4), (2, 2, 2))
    assert (pooled.tokens_shape, pooled.time_steps) == ((8, 128), 2)
    with torch.no_grad():
        tokens, means = vlm.encode(video), pooled.encode(video)
    # (B, 2, 2, 2, 2, 2, D): steps, then two rows of two, and two columns of two
    parts = tokens.unflatten(1, (2, 2, 2, 2, 2))
    torch.testing.assert_close(means, parts.mean((3, 5)).flatten(1, 3))


def test_the_language_model_is_shown_them_in_all_places(
    vlm: TransformersVLM, pooled: PooledVLM, video: torch.Tensor
) -> None:
    tokens = pooled.encode(video).detach().requires_grad_()
    places = tokens.unflatten(1, (2, 2, 2))
    shown = places.repeat_interleave(2, 2).repeat_interleave(2, 3).flatten(1, 3)
    with torch.no_grad():
        assert torch.equal(pooled.logits(tokens, PROMPT), vlm.logits(shown, PROMPT))
        words = ["grass", "snow"]
        given = pooled.log_probs(tokens, PROMPT, words)
        assert torch.equal(given, vlm.log_probs(shown, PROMPT, words))
        assert pooled.caption(tokens, max_tokens=3) == vlm.caption(shown, max_tokens=3)
    pooled.logits(tokens, PROMPT).square().sum().backward()
    assert (tokens.grad.abs().sum((0, 2)) > 0).all()


def test_settings_ask_for_it(vlm: TransformersVLM, folder: Path, video: torch.Tensor) -> None:
    settings = {"adapter": "qwen_vl", "path": str(folder), "describe": "describe the video :"}
    shape = tuple(video.shape[1:])

    def loaded(most: int | None) -> Any:
        return load_vlm({**settings, "pooled_tokens": most}, shape, torch.device("cpu"))

    assert loaded(10).tokens_shape == (8, 128)
    assert all(type(loaded(most)) is type(vlm) for most in (None, 32))


def test_tokens_that_are_no_grid_are_refused() -> None:
    class Odd:
        tokens_shape, device = (7, 4), torch.device("cpu")

    with pytest.raises(UserError, match="key pooled_tokens: expected a VLM whose 7 tokens are a"):
        PooledVLM(Odd(), 3)


def test_tokens_are_stored_in_the_precision_that_they_come_in(
    folder: Path, video: torch.Tensor
) -> None:
    """Nothing is lost by it, pooled or not."""
    assert stored_precision({"dtype": "float32"}, None) == torch.float32
    assert stored_precision({"dtype": "bfloat16"}, None) == torch.bfloat16
    assert stored_precision({"dtype": "bfloat16"}, "float32") == torch.float32
    settings = {"adapter": "qwen_vl", "path": str(folder), "dtype": "bfloat16"}
    settings["describe"] = "describe the video :"
    for most in (None, 8):
        made = load_vlm(
            {**settings, "pooled_tokens": most}, tuple(video.shape[1:]), torch.device("cpu")
        )
        with torch.no_grad():
            tokens = made.encode(video)
        stored = tokens.to(stored_precision(settings, None))
        assert torch.equal(stored.float(), tokens) and tokens.abs().max() > 0
