"""Noise that flips an answer, on VLMs whose gradient is known."""

from __future__ import annotations

import pytest
import torch

from transporter.clips.contrast import Concept
from transporter.coupling.reader import Reader
from transporter.truth.noise import BOUND, STEP, noised
from transporter.truth.nulls import OneWord


class _Grey:
    """Says the target of what is light, in the mean of its pixels."""

    device, tokens_shape = torch.device("cpu"), (1, 1)

    def encode(self, video: torch.Tensor) -> torch.Tensor:
        return video.mean((1, 2, 3, 4))[:, None, None]

    def log_probs(self, tokens: torch.Tensor, prompt: str, words: tuple[str, str]) -> torch.Tensor:
        odds = 100 * (tokens[:, 0, 0] - 0.5)
        return torch.stack([-odds, odds], 1) / 2


def _noised(grey: float, vlm: object) -> torch.Tensor:
    concept = Concept("slow", "action", "slowly", "quickly", "how fast ?")
    video = torch.full((2, 3, 3, 4, 4), grey)
    video[1] = 0.9
    return noised(video, concept, Reader(None, vlm)) - video


def test_an_answer_flips_and_is_then_as_sure_as_it_was() -> None:
    below, above = _noised(0.49, _Grey())
    # from 0.49 to 0.51, in whole steps; the other clip says the target already
    steps = -(-0.02 // STEP)
    assert below.unique().tolist() == pytest.approx([steps * STEP], abs=1e-5)
    assert above.abs().max() == 0


def test_no_pixel_changes_by_more_than_the_bound() -> None:
    assert _noised(0.3, _Grey())[0].max() == pytest.approx(BOUND)
    assert _noised(0.0, _Grey())[0].min() >= 0


def test_what_does_not_look_is_not_moved() -> None:
    assert _noised(0.3, OneWord(_Grey())).abs().max() == 0
