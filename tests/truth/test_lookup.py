"""The look-up: what is asked about each caption, and what is shown of it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
import torch

from microworld.world import MICROWORLD
from transporter.clips.contrast import Concept
from transporter.generators.base import Sampling
from transporter.truth.lookup import ask, best_two, edited

SHAPE = Concept("circle_square", "object", "circle", "square", "what shape ?")
COLOUR = Concept("red_blue", "object", "red", "blue", "what colour ?")
CAPTIONS = ["a red circle spins", "a blue circle spins", "nothing known", "a square spins"]


class _Generator:
    """A clip is the number of letters of its caption; noises are written down."""

    noises: list[int]

    def encode_text(self, captions: Sequence[str]) -> torch.Tensor:
        return torch.tensor([[float(len(caption))] for caption in captions])

    def sample(
        self, condition: torch.Tensor, seeds: Sequence[int], steps: int, guidance: float
    ) -> torch.Tensor:
        self.noises += seeds
        return condition.view(-1, 1, 1, 1, 1)


def test_each_caption_is_asked_about_in_a_noise_of_its_own_and_shown_its_own_best() -> None:
    generator = _Generator()
    generator.noises = []
    asked = ask(CAPTIONS, [SHAPE, COLOUR], generator, Sampling(2, 1.0, 2), None, seed=3)
    texts = [swap.caption for swap in asked.swaps]
    assert texts == [
        "a red square spins",
        "a blue circle spins",
        "a blue square spins",
        "a red circle spins",
        "a circle spins",
    ]
    assert asked.z_xi.flatten().tolist() == [len(text) for text in texts]
    first = 3 * 1_000_003 + 700_000
    assert generator.noises == [first, first, first + 1, first + 1, first + 3]
    assert asked.best(CAPTIONS, [-2.0, 1.0, 3.0, 2.0, -5.0]) == [
        ("a blue circle spins", 1.0),
        ("a blue square spins", 3.0),
        ("nothing known", -math.inf),
        ("a circle spins", -5.0),
    ]


def test_where_one_edit_does_not_do_the_best_of_it_comes_on_top() -> None:
    again = {"b": ("bb", 2.0), "c": ("cc", -3.0), "d": ("d", -math.inf)}
    best = [("a", 1.0), ("b", -1.0), ("c", -2.0), ("d", -math.inf)]
    assert best_two(best, lambda texts: [again[text] for text in texts]) == ["a", "bb", "c", "d"]
    assert best_two(best[:1], lambda texts: pytest.fail("nothing is to be asked")) == ["a"]


def test_words_that_a_caption_lacks_are_asked_about_too() -> None:
    generator = _Generator()
    generator.noises = []
    captions = ["a circle spins on snow"]
    asked = ask(captions, [COLOUR], generator, Sampling(2, 1.0, 2), MICROWORLD)
    assert [swap.caption for swap in asked.swaps] == [
        "a red circle spins on snow",
        "a blue circle spins on snow",
    ]


@pytest.mark.parametrize(
    ("caption", "shown"),
    [
        ("a red circle spins on snow", "a blue circle spins on snow"),
        ("a blue circle spins on snow", "a blue circle spins on snow"),
        ("a circle spins on snow", "a blue circle spins on snow"),
        ("a circle of chalk", "a circle of chalk"),
    ],
)
def test_an_edit_replaces_the_word_or_puts_it_in(caption: str, shown: str) -> None:
    edit = ("what colour ?", "blue")
    assert edited(caption, edit, [SHAPE, COLOUR], MICROWORLD) == shown
    assert edited(caption, None, [SHAPE, COLOUR], MICROWORLD) == caption


def test_without_a_world_nothing_is_put_in() -> None:
    assert edited("a circle", ("what colour ?", "blue"), [COLOUR], None) == "a circle"
