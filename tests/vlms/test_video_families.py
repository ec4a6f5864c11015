"""Which frames of a clip video models are shown, how large, and when they say that each is; and
slopes of their answers.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from video_checkpoints import VIDEO_BUILDERS

from transporter.pipeline.loading import load_vlm
from transporter.support.errors import UserError
from transporter.vlms.transformers_vlm import TransformersVLM

PROMPT = "how fast does it move?"
SHAPE = (9, 3, 96, 160)
CLIP_OF_PAPER = (49, 3, 480, 832)
MakeVLM = Callable[..., TransformersVLM]


@pytest.fixture(scope="module")
def make(published: Callable[[str], Path]) -> MakeVLM:
    def load(name: str, shape: tuple[int, ...] = SHAPE, **keys: Any) -> TransformersVLM:
        settings = {"adapter": name, "path": str(published(name)), "dtype": "float32"}
        return load_vlm({**settings, **keys}, shape, torch.device("cpu"), 8)

    return load


@pytest.mark.parametrize(
    ("name", "keys", "steps", "tokens"),
    [
        # 2 frames a second of 3 seconds at 16, in pairs, of 15 x 26 cells of 32 pixels
        ("qwen3_vl", {"fps": 16}, 3, 15 * 26),
        ("qwen3_vl", {"frames": 16, "max_pixels": 100352}, 8, 7 * 13),
        ("qwen3_vl", {"fps": 16, "max_pixels": 100352}, 3, 7 * 13),
        ("smol_vlm", {"frames": 8}, 8, 4),
        ("llava_onevision", {"frames": 8}, 8, 9),
        ("internvl", {"frames": 8}, 8, 4),
        ("internvl", {}, 49, 4),
    ],
)
def test_frames_and_pixels_of_a_large_clip(
    name: str, keys: dict[str, int], steps: int, tokens: int, make: MakeVLM
) -> None:
    vlm = make(name, CLIP_OF_PAPER, **keys)
    assert vlm.time_steps == steps
    assert vlm.tokens_shape[0] == steps * tokens


@pytest.mark.parametrize(
    ("name", "fps", "times"),
    [
        # the middle of two frames in 1 and 4, and of the last one twice
        ("qwen3_vl", 8, ["<0.3 seconds>", "<0.9 seconds>"]),
        ("smol_vlm", 0.5, ["a 0:00:18 [H:MM:SS]", "from 00:02:", "from 00:08:", "from 00:14:"]),
    ],
)
def test_chosen_frames_are_told_with_their_times(
    name: str, fps: float, times: list[str], make: MakeVLM
) -> None:
    """Of 9 frames the middles of 3 parts: 1, 4 and 7."""
    vlm = make(name, frames=3, fps=fps)
    clip = torch.rand(1, *SHAPE, generator=torch.Generator().manual_seed(0))
    others = clip.clone()
    others[:, [0, 2, 3, 5, 6, 8]] = 0
    with torch.no_grad():
        assert torch.equal(vlm.encode(clip), vlm.encode(others))
    text = vlm.processor.tokenizer.decode(vlm.prompt_ids(PROMPT))
    assert [time for time in times if time not in text] == []


@pytest.mark.parametrize("name", ["smol_vlm", "llava_onevision", "internvl"])
def test_frames_of_one_size_have_no_bound(name: str, make: MakeVLM) -> None:
    with pytest.raises(UserError, match=r"key max_pixels: the adapter .* has no such setting"):
        make(name, max_pixels=3136)


def test_a_grey_frame_is_no_padding(make: MakeVLM) -> None:
    """SmolVLM's own way to its features would leave it out: it is zero once it is normalised."""
    vlm = make("smol_vlm", frames=3)
    with torch.no_grad():
        tokens = vlm.encode(torch.full((1, *SHAPE), 0.5))
    assert tokens.shape == (1, *vlm.tokens_shape)


@pytest.mark.parametrize("name", VIDEO_BUILDERS)
def test_gradients_to_pixels_are_slopes(name: str, make: MakeVLM) -> None:
    """Of the log-odds of two words, along the gradient itself and a third of it at random."""
    vlm = make(name, frames=3)
    random = torch.Generator().manual_seed(0)
    clip = torch.rand(1, *SHAPE, generator=random).requires_grad_()

    def log_odds(video: torch.Tensor) -> torch.Tensor:
        first, second = vlm.log_probs(vlm.encode(video), PROMPT, ["n", "y"])[0]
        return first - second

    [gradient] = torch.autograd.grad(log_odds(clip), clip)
    assert gradient.isfinite().all()
    for direction in (gradient, gradient * (torch.rand(clip.shape, generator=random) < 1 / 3)):
        step = direction / direction.norm() * 0.005
        with torch.no_grad():
            rise = (log_odds(clip + step) - log_odds(clip - step)) / 2
        torch.testing.assert_close(rise, (gradient * step).sum(), atol=3e-5, rtol=0.03)
