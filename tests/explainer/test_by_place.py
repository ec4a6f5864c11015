"""Concepts that act where their words are."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from transporter.clips.contrast import Concept
from transporter.concepts.bank import ConceptBank
from transporter.explainer import by_place
from transporter.explainer.by_place import acting_words, generate_by_place
from transporter.generation.sweeps import generate
from transporter.generators.base import Generator, Sampling
from transporter.pipeline.config import load_config
from transporter.pipeline.loading import load_generator
from transporter.support.errors import UserError

ROOT = Path(__file__).parents[2]
CAPTION = "a red circle moves left on grass during the day"
CONCEPTS = {
    name: Concept(name, "object", source, target, "")
    for name, source, target in (("red_blue", "blue", "red"), ("day_night", "day", "night"))
}
"""Of the first the caption holds the target."""
SEED, SAMPLING = 3, Sampling(1, 3.0)


@pytest.fixture(scope="module")
def generator() -> Generator:
    settings = load_config(ROOT / "config/config.yaml")["generators"]["microworld"]
    path = str(ROOT / settings["path"])
    return load_generator(settings | {"path": path}, torch.device("cpu"))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, torch.Tensor]:
    """Where each word is said to be, `(t, h, w)`; a word that is not here is not asked for."""
    places: dict[str, torch.Tensor] = {}

    def found(
        generator: Generator, video: torch.Tensor, word: str, caption: str, seed: int
    ) -> torch.Tensor:
        assert video.shape == generator.video_shape and caption == CAPTION
        return places[word]

    monkeypatch.setattr(by_place, "places_of", found)
    return places


def test_a_map_is_between_nowhere_and_everywhere(
    generator: Generator, asked: dict[str, torch.Tensor]
) -> None:
    """Two words that share out the clip change all of it, and words that are nowhere nothing."""
    bank = ConceptBank({name: torch.randn(16, 96) for name in CONCEPTS})
    one = (torch.rand(generator.latent_shape[1:]) > 0.5).float()
    strengths = {"red_blue": 1.0, "day_night": 0.5}

    def made(**places: torch.Tensor) -> torch.Tensor:
        asked.update(places)
        words = acting_words(CONCEPTS, strengths, CAPTION)
        assert words == ["red", "day"]
        return generate_by_place(generator, bank, words, CAPTION, strengths, SEED, SAMPLING)

    whole, plain = (
        generate(generator, bank, CAPTION, some, SEED, SAMPLING) for some in (strengths, {})
    )
    assert torch.allclose(made(red=one, day=1 - one), whole, atol=1e-5)
    assert torch.allclose(made(red=0 * one, day=0 * one), plain, atol=1e-5)
    assert not torch.allclose(whole, plain, atol=0.1)


def test_words_that_are_not_in_the_caption() -> None:
    concepts = {"up_down": Concept("up_down", "action", "up", "down", "")}
    with pytest.raises(UserError, match="holds 'up' or 'down' once"):
        acting_words(concepts, ["up_down"], CAPTION)
    with pytest.raises(UserError, match="concept: expected one of up_down, got 'red_blue'"):
        acting_words(concepts, ["red_blue"], CAPTION)
