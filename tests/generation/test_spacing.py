"""Strengths are spaced by a response: on courses in closed form, and through a linear world."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from transporter.clips.contrast import Concept
from transporter.concepts.bank import ConceptBank
from transporter.coupling.reader import Reader
from transporter.generation.response import FIRST_NOISE, STRENGTHS, measure_response
from transporter.generation.spacing import Response
from transporter.generators.base import Sampling
from transporter.generators.condition import Condition
from transporter.generators.modulation import Modulation

PHI = (0, 0.25, 0.5, 0.75, 1)
GRID = np.linspace(0, 1, 101)


def sigmoid(middle: float, steepness: float, height: float) -> np.ndarray:
    return height / (1 + np.exp(-steepness * (GRID - middle))) - height / 2


def steps(course: np.ndarray, phi: Sequence[float]) -> np.ndarray:
    moves = np.diff(np.interp(phi, GRID, course))
    return moves / moves.sum()


@pytest.mark.parametrize("middle", [0.3, 0.5, 0.8])
def test_a_switch_becomes_a_slider(middle: float) -> None:
    course = sigmoid(middle, 25, 16)
    response = Response.of_log_odds(GRID, course[None])
    even = response.even(PHI)
    assert even[0] == 0 and even[-1] == 1
    assert steps(course, PHI).max() > 0.45
    # rounded to hundredths, and drawn a little towards even strengths
    assert steps(course, even).max() < 0.32


def test_clips_count_alike_and_those_that_fall_do_not() -> None:
    far, near, falling = sigmoid(0.5, 25, 20), sigmoid(0.5, 25, 2), -sigmoid(0.2, 25, 9)
    both = Response.of_log_odds(GRID, np.stack([far, near]))
    np.testing.assert_allclose(both.progress, Response.of_log_odds(GRID, near[None]).progress)
    three = Response.of_log_odds(GRID, np.stack([far, falling, near]))
    np.testing.assert_allclose(three.progress, both.progress)
    assert (both.clips, three.clips) == (2, 2)


def test_without_an_answer_that_rises_strengths_stay() -> None:
    response = Response.of_log_odds(GRID, -sigmoid(0.5, 25, 9)[None])
    assert response.clips == 0
    assert response.even(PHI) == list(PHI)


def test_of_an_unknown_response_strengths_stay(tmp_path: Path) -> None:
    Response.unknown().save(tmp_path / "response.tsv")
    assert Response.load(tmp_path / "response.tsv").even(PHI) == list(PHI)


def test_strengths_rise_whatever_the_course() -> None:
    jump = np.where(GRID < 0.505, 0.0, 1.0)
    wave = GRID + 0.4 * np.sin(12 * GRID)
    for course in (jump, wave):
        response = Response.of_log_odds(GRID, course[None])
        many = response.even(np.linspace(0, 1, 200).tolist())
        assert np.all(np.diff(many) > 0)
        assert (many[0], many[-1]) == (0, 1)


def test_strengths_outside_are_left_alone() -> None:
    response = Response.of_log_odds(GRID, sigmoid(0.6, 25, 9)[None])
    assert response.even([-0.5, 0, 1, 1.5]) == [-0.5, 0, 1, 1.5]


def test_a_response_comes_back_from_its_file(tmp_path: Path) -> None:
    response = Response.of_log_odds(GRID, sigmoid(0.6, 25, 9)[None])
    response.save(tmp_path / "response.tsv")
    again = Response.load(tmp_path / "response.tsv")
    assert again.even(PHI) == response.even(PHI)
    assert again.clips == 1


class _Generator:
    """A latent is the condition's mean; what it was asked for is noted."""

    device = torch.device("cpu")

    def __init__(self) -> None:
        self.noises: list[int] = []

    def encode_text(self, captions: Sequence[str]) -> Condition:
        return Condition(torch.tensor([[[0.0 if "red" in text else 1.0]] for text in captions]))

    def sample(
        self,
        condition: Condition,
        seeds: Sequence[int],
        steps: int,
        guidance: float,
        modulation: Modulation,
    ) -> torch.Tensor:
        self.noises += seeds
        copies = len(modulation.delta) // len(condition)
        changed = condition.repeat_interleave(copies) + modulation.delta
        return changed.embeddings.view(-1, 1, 1, 1, 1)

    def decode(self, z_xi: torch.Tensor) -> torch.Tensor:
        return z_xi


class _VLM:
    """Answers by the cube of what it sees."""

    def encode(self, video: torch.Tensor) -> torch.Tensor:
        return video.flatten(1)

    def log_probs(
        self, tokens: torch.Tensor, prompt: str, continuations: Sequence[str]
    ) -> torch.Tensor:
        return torch.stack([torch.zeros(len(tokens)), tokens[:, 0] ** 3], 1)


def test_the_response_is_that_of_the_concept() -> None:
    concept = Concept("red_blue", "object", "red", "blue", "what colour is it ?")
    generator, bank = _Generator(), ConceptBank({"red_blue": torch.tensor([[1.0]])})
    pairs = [("a red circle", "a blue circle"), ("a red square", "a blue square")]
    response = measure_response(
        concept, pairs, Reader(generator, _VLM()), bank, Sampling(2, 1.0), seed=7
    )
    np.testing.assert_allclose(response.progress, np.linspace(0, 1, STRENGTHS) ** 3, atol=1e-6)
    assert response.clips == 2
    assert generator.noises == [FIRST_NOISE + 7, FIRST_NOISE + 8]
