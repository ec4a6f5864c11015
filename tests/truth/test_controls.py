"""The clips of a case and their readings, on models whose clips show what they were
asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import pandas as pd
import pytest
import torch

from transporter.clips.contrast import Concept
from transporter.concepts.bank import ConceptBank
from transporter.coupling.reader import Reader
from transporter.generators.base import Sampling
from transporter.generators.condition import Condition
from transporter.generators.modulation import Modulation
from transporter.support.errors import UserError
from transporter.truth.cases import Case
from transporter.truth.controls import (
    Controls,
    NothingFlips,
    explain,
    make_controls,
    noise_seeds,
    open_contexts,
)
from transporter.truth.described import describe_methods
from transporter.truth.readings import read_clips

L, D = 4, 3
SAMPLING = Sampling(steps=2, guidance=1.0, batch=4)
CAPTIONS = [
    "a red square moves slowly left on grass",
    "a large blue square moves slowly left on sand",
    "a blue circle moves quickly up",
]
SEEDS = 2


class _Generator:
    """A condition says in its first channel whether the caption is red, in its second whether it is
    quick; so does the latent.
    """

    device = torch.device("cpu")

    def __init__(self) -> None:
        self.noises: list[int] = []

    def encode_text(self, captions: Sequence[str]) -> Condition:
        said = torch.tensor(
            [[float("red" in text), float("quickly" in text), 0.5] for text in captions]
        )
        return Condition(said[:, None].expand(-1, L, -1).clone())

    def sample(
        self,
        condition: Condition,
        seeds: Sequence[int],
        steps: int,
        guidance: float,
        modulation: Modulation,
    ) -> torch.Tensor:
        self.noises += seeds
        return (condition + modulation.delta).embeddings.mean(1).view(-1, D, 1, 1, 1)

    def decode(self, z_xi: torch.Tensor) -> torch.Tensor:
        return z_xi.transpose(1, 2)


class _VLM:
    """Says quickly by one channel."""

    def __init__(self, channel: int) -> None:
        self.channel = channel

    def encode(self, video: torch.Tensor) -> torch.Tensor:
        return video[:, 0, :, 0, 0]

    def log_probs(
        self, tokens: torch.Tensor, prompt: str, continuations: Sequence[str]
    ) -> torch.Tensor:
        odds = 8 * tokens[:, self.channel] - 4
        return torch.stack([-odds, odds], 1) / 2


class _Probes:
    vocabulary: ClassVar = {"colour": ("red", "blue"), "speed": ("slowly", "quickly")}

    def probabilities(self, video: torch.Tensor) -> dict[str, torch.Tensor]:
        red, quick = video[:, 0, 0, 0, 0], video[:, 0, 1, 0, 0]
        return {
            "colour": torch.stack([red, 1 - red], 1),
            "speed": torch.stack([1 - quick, quick], 1),
        }


@pytest.fixture
def generator() -> _Generator:
    return _Generator()


@pytest.fixture
def controls(concept: Concept, generator: _Generator) -> Controls:
    return make_controls(concept, [CAPTIONS], [], generator, 10, SEEDS, SAMPLING, seed=1)


def _reader(generator: _Generator, channel: int) -> Reader:
    return Reader(generator, _VLM(channel), coupling=None)


def test_controls_are_those_they_say(controls: Controls, generator: _Generator) -> None:
    assert len(controls.pairs) == 3
    assert all(z.shape == (3, SEEDS, D, 1, 1, 1) for z in controls.z_xi.values())
    quick = {name: z[:, :, 1].flatten(1) for name, z in controls.z_xi.items()}
    assert quick["origin"].eq(0).all() and quick["prompt_interpolation"].eq(1).all()
    change = (controls.z_xi["random"] - controls.z_xi["origin"]).flatten(2)
    assert torch.allclose(change, change[0, 0].expand_as(change), atol=1e-6)
    # the same noises for every method, and no noise for two captions
    assert generator.noises == noise_seeds(3, SEEDS, 1) * 3
    assert len(set(generator.noises)) == 3 * SEEDS


def test_the_pool_is_filled_up_from_further_captions(
    concept: Concept, generator: _Generator
) -> None:
    more = ["a dog moves slowly", "a cat moves quickly", *CAPTIONS]

    def pool(count: int, *seen: str) -> list[tuple[str, str]]:
        return make_controls(concept, [CAPTIONS, more], seen, generator, count, 1, SAMPLING).pairs

    first = pool(3)
    assert first == pool(5)[:3] and len(pool(99)) == 5
    assert {pair[0] for pair in pool(5)[3:]} == {"a dog moves slowly", "a cat moves slowly"}
    assert len(pool(99, "a dog moves quickly")) == 4
    with pytest.raises(
        UserError,
        match=(
            "expected captions with 'slowly' or 'quickly' that were not fitted on, found none in 8"
        ),
    ):
        pool(3, *CAPTIONS, *more)


def test_controls_come_back_from_their_folder(controls: Controls, tmp_path: Path) -> None:
    controls.save(tmp_path / "controls")
    again = Controls.load(tmp_path / "controls")
    assert again.pairs == controls.pairs
    assert all(torch.equal(again.z_xi[name], z) for name, z in controls.z_xi.items())


def test_an_example_is_the_first_clip_or_none(controls: Controls, tmp_path: Path) -> None:
    first = controls.first()
    assert first.pairs == controls.pairs[:1]
    assert all(torch.equal(z[0, 0], controls.z_xi[name][0, 0]) for name, z in first.z_xi.items())
    assert {z.shape[:2] for z in first.z_xi.values()} == {(1, 1)}
    Controls([], {}).first().save(tmp_path / "none")
    assert Controls.load(tmp_path / "none").pairs == []


def test_only_captions_that_the_vlm_answers_by_the_source_can_flip(
    controls: Controls, concept: Concept, generator: _Generator
) -> None:
    red = [row for row, pair in enumerate(controls.pairs) if "red" in pair[0]]
    by_colour, by_speed = (
        open_contexts(controls, concept, _reader(generator, channel), 10) for channel in (0, 1)
    )
    assert by_colour == [row for row in range(3) if row not in red]
    assert by_speed == [0, 1, 2]
    assert open_contexts(controls, concept, _reader(generator, 1), 2) == [0, 1]
    with pytest.raises(NothingFlips, match="answers by 'slowly', got none of 1 captions"):
        open_contexts(controls.only(red), concept, _reader(generator, 0), 1)


def test_explanations_start_from_the_origins_noise_and_are_read_by_all(
    controls: Controls, planted: Case, generator: _Generator
) -> None:
    vectors = {"logits": [1.0, 0.0, 0.0], "velocity": [0.0, 1.0, 0.0]}
    banks = {
        name: ConceptBank({"slowly_quickly": torch.tensor(vector).expand(L, D)})
        for name, vector in vectors.items()
    }
    rows = open_contexts(controls, planted.concept, _reader(generator, 0), 10)
    generator.noises.clear()
    texts = {"best_swap": [f"red {controls.pairs[row][0]}" for row in rows]}
    clips = explain(planted, controls, rows, banks, texts, generator, SAMPLING, seed=1)
    assert list(clips.z_xi) == [
        "origin",
        "random",
        "prompt_interpolation",
        "logits",
        "velocity",
        "best_swap",
        "oracle",
    ]
    assert (
        generator.noises
        == [
            noise
            for row in rows
            for noise in noise_seeds(3, SEEDS, 1)[row * SEEDS : (row + 1) * SEEDS]
        ]
        * 4
    )
    table = read_clips(clips, planted, _reader(generator, 0), _VLM(1), _Probes())
    assert len(table) == 7 * len(rows) * SEEDS
    flips: pd.DataFrame = (
        (table.set_index("method")[["log_odds", "log_odds_honest"]] > 0).groupby("method").mean()
    )
    methods = ["origin", "logits", "best_swap", "oracle", "velocity"]
    assert flips.loc[methods].to_numpy().tolist() == [
        [0, 0],
        [1, 0],
        [1, 0],
        [1, 0],
        [0, 1],
    ]
    assert table.loc[table["method"] == "oracle", "red"].eq(1).all()
    assert table.loc[table["method"] == "oracle", "quickly"].eq(0).all()


def test_an_honest_vlm_without_a_judge_is_read_alone(
    controls: Controls, honest: Case, generator: _Generator
) -> None:
    clips = explain(honest, controls, [0, 1], {}, {}, generator, SAMPLING, seed=1)
    assert list(clips.z_xi) == ["origin", "random", "prompt_interpolation"]
    table = read_clips(clips, honest, _reader(generator, 1), None, None)
    assert list(table) == ["method", "caption", "seed", "log_odds"]


class _Red:
    """Clips and captions by how red they are."""

    def embed_video(self, video: torch.Tensor) -> torch.Tensor:
        red = video[:, 0, 0, 0, 0]
        return torch.stack([red, 1 - red], 1)

    def embed_text(self, captions: Sequence[str]) -> torch.Tensor:
        red = torch.tensor([float("red" in text) for text in captions])
        return torch.stack([red, 1 - red], 1)


def test_each_methods_change_is_described(controls: Controls, generator: _Generator) -> None:
    """Clips of a method that are those at phi = 0, and some that turned red."""
    words = [
        Concept("", "object", *pair, "colour ?") for pair in (("blue", "red"), ("red", "blue"))
    ]
    origin = controls.z_xi["origin"]
    turned = origin.clone()
    turned[:, :, 0] = 1 - turned[:, :, 0]
    made = Controls(controls.pairs, {"origin": origin, "same": origin, "turned": turned})
    found = describe_methods(made, generator, words, _Red())
    assert list(found) == ["same", "turned"]
    assert found["same"].row()["change"] == 0
    assert found["turned"].row()["change"] == pytest.approx(1 / D)
    word, instead, cosine = found["turned"].nearest
    assert {word, instead} == {"red", "blue"} and cosine == pytest.approx(1)
    assert describe_methods(made, generator, words, None)["turned"].nearest is None
