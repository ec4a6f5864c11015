"""Discovery: swaps of words, and VLMs of which it is known what they go by, with the shipped
generator.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd
import pytest
import torch

from microworld.attributes import WORDS, Attributes
from microworld.language import caption
from microworld.renderer import draw_layout, render
from microworld.rulers.analytic import AnalyticProbes
from transporter.clips.contrast import Concept, read_concepts, swaps
from transporter.concepts.discovery import (
    Estimates,
    Look,
    answer_odds,
    discover,
    discover_pairs,
    pictured,
)
from transporter.generators.base import Generator
from transporter.generators.wan import WanGenerator
from transporter.support.errors import UserError

ROOT = Path(__file__).parents[2]
CONCEPTS = read_concepts(ROOT / "config" / "concepts.tsv")
CLIP = Attributes("circle", 0.0, 1.0, "left", 1.0, "grass", 1.0)
CAPTION = caption(CLIP.words())
ASKED = "how fast does it move ?"


class Ruler:
    """A VLM that measures a clip and says *quickly* by one attribute alone; a token is a clip's
    probabilities of its words.
    """

    device = torch.device("cpu")

    def __init__(self, cue: str, word: int) -> None:
        self.cue, self.word = cue, word

    def encode(self, video: torch.Tensor) -> torch.Tensor:
        return AnalyticProbes().probabilities(video)[self.cue][:, None]

    def log_probs(
        self, tokens: torch.Tensor, prompt: str, continuations: Sequence[str]
    ) -> torch.Tensor:
        quickly = 0.01 + 0.98 * tokens[:, 0, self.word]
        return torch.stack(
            [quickly if word == "quickly" else 1 - quickly for word in continuations], 1
        ).log()

    def caption(
        self, tokens: torch.Tensor, prompt: str | None = None, max_tokens: int = 32
    ) -> list[str]:
        if prompt is None:
            return [CAPTION] * len(tokens)
        return ["quickly" if token[0, self.word] > 0.5 else "slowly" for token in tokens]


@pytest.fixture(scope="module")
def generator() -> Generator:
    return WanGenerator(str(ROOT / "models" / "generator"), 17, 64, 64, 8, 16)


@pytest.fixture(scope="module")
def estimates(generator: Generator) -> Iterator[dict[str, torch.Tensor]]:
    """Estimates by their caption, each made once: VLMs that differ are shown the same ones."""
    made: dict[str, torch.Tensor] = {}
    plain = Estimates.video

    def video(self: Estimates, caption: str) -> torch.Tensor:
        if caption not in made:
            made[caption] = plain(self, caption)
        return made[caption]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Estimates, "video", video)
        yield made


@pytest.fixture(scope="module")
def video() -> torch.Tensor:
    import numpy as np

    frames, _ = render(CLIP, draw_layout(CLIP, np.random.default_rng(0)))
    return torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 255


def test_every_word_of_the_caption_is_swapped_for_all_that_answer_its_question() -> None:
    found = [(swap.word, swap.instead) for swap in swaps("a red dot on snow", CONCEPTS)]
    assert found == [
        ("red", "blue"),
        ("red", "green"),
        ("red", "yellow"),
        ("snow", "grass"),
        ("snow", "sand"),
    ]
    assert next(swaps("a red dot on snow", CONCEPTS)).caption == "a blue dot on snow"


@pytest.mark.parametrize(
    ("cue", "word", "about"),
    [
        ("colour", 0, "what colour is it ?"),
        ("ground", 0, "what is the ground ?"),
        ("speed", 1, "how fast does it move ?"),
    ],
)
def test_what_a_vlm_goes_by_comes_first(
    generator: Generator,
    video: torch.Tensor,
    estimates: dict[str, torch.Tensor],
    cue: str,
    word: int,
    about: str,
) -> None:
    answer, table = discover(
        video, ASKED, Ruler(cue, word), generator, CONCEPTS, look=Look(draws=4)
    )
    assert answer == "quickly"
    assert table.loc[0, "about"] == about
    assert table["rate"].is_monotonic_decreasing
    others = table[table["about"] != about]
    assert table.loc[0, "rate"] > 1.5 * others["rate"].abs().max()
    assert len(estimates) > len(table)


class _Both(Ruler):
    """It says *quickly* of blue clips at night alone."""

    def encode(self, video: torch.Tensor) -> torch.Tensor:
        seen = AnalyticProbes().probabilities(video)
        blue = seen["colour"][:, WORDS["colour"].index("blue")]
        night = seen["time"][:, WORDS["time"].index("night")]
        return torch.stack([1 - blue * night, blue * night], 1)[:, None]


def test_two_words_that_only_do_together_come_first(
    generator: Generator, video: torch.Tensor
) -> None:
    words = [("size", "large", "small"), ("colour", "red", "blue"), ("time", "day", "night")]
    ranked = pd.DataFrame(words, columns=["about", "word", "instead"])
    # in as many noises as above: estimates of a caption are made once
    table = discover_pairs(
        video, ASKED, "slowly", _Both("both", 1), generator, CAPTION, ranked, Look(draws=4)
    )
    assert table["about"].tolist()[0] == "colour time"
    assert len(table) == 3
    assert table.loc[0, "moves"] > 2 * table.loc[1:, "moves"].max()


def test_what_is_read_can_be_looked_at(generator: Generator, video: torch.Tensor) -> None:
    """The night is darker in the estimate, and the ground of day stays one of grass: green."""
    captions = [f"a red circle moves left on grass during the {time}" for time in ("day", "night")]
    day, night = pictured(video, captions, generator)
    assert day.shape == night.shape == video.shape
    assert night.mean() < day.mean() - 0.1
    ground = day[:, :, -8:].mean((0, 2, 3))
    assert ground.argmax() == 1


def test_odds_of_an_answer_stay_finite() -> None:
    class Certain(Ruler):
        def log_probs(
            self, tokens: torch.Tensor, prompt: str, continuations: Sequence[str]
        ) -> torch.Tensor:
            return torch.tensor([[0.0], [-2.0]])

    odds = answer_odds(Certain("colour", 0), torch.rand(2, 17, 3, 64, 64), ASKED, "quickly")
    assert odds[0] == pytest.approx(13.8, abs=0.1)
    assert odds[1] == pytest.approx(-2 - torch.log1p(-torch.tensor(-2.0).exp()).item())


def test_a_caption_without_known_words_is_refused(
    generator: Generator, video: torch.Tensor
) -> None:
    with pytest.raises(
        UserError, match="expected a caption that holds a word of the concepts, got 'a thing'"
    ):
        discover(
            video,
            ASKED,
            Ruler("colour", 0),
            generator,
            [Concept("a_b", "object", "x", "y", "?")],
            "a thing",
        )
