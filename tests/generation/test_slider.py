"""Clips on the stops of a slider, through a world whose answers are known in closed form."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from transporter.clips.contrast import Concept
from transporter.concepts.bank import ConceptBank
from transporter.coupling.reader import Reader
from transporter.generation.slider import Slider, Spacing
from transporter.generation.sweeps import Generated, write_concept
from transporter.generators.base import Sampling
from transporter.generators.condition import Condition
from transporter.generators.modulation import Modulation
from transporter.support.kept import Kept, made

CONCEPT = Concept("red_blue", "object", "red", "blue", "what colour is it ?")
STOPS = (0, 0.25, 0.5, 0.75, 1)
PAIRS = [("a red circle", "a blue circle"), ("a red square", "a blue square")]
TURNS = (0.4, 0.6)
"""Strengths at which the answers to the clips of seeds 0 and 1 turn."""


class _Generator:
    """A latent is the seed and the condition's mean; what was asked for is noted."""

    device, fps = torch.device("cpu"), 8

    def __init__(self) -> None:
        self.asked: list[tuple[int, float]] = []
        self.decoded = 0

    def encode_text(self, captions: Sequence[str]) -> Condition:
        return Condition(torch.tensor([[[float("blue" in text)]] for text in captions]))

    def sample(
        self,
        condition: Condition,
        seeds: Sequence[int],
        steps: int,
        guidance: float,
        modulation: Modulation,
    ) -> torch.Tensor:
        value = (condition + modulation.delta).embeddings.flatten()
        self.asked += zip(seeds, (round(one, 4) for one in value.tolist()), strict=True)
        return torch.stack([torch.tensor(seeds).float(), value], 1).view(-1, 2, 1, 1, 1)

    def decode(self, z_xi: torch.Tensor) -> torch.Tensor:
        self.decoded += len(z_xi)
        # (B, 2, 1, 1, 1) to (B, T, C, H, W)
        colours = torch.cat([z_xi / torch.tensor([10.0, 1.0]).view(2, 1, 1, 1)] * 2, 1)[:, :3]
        return colours.transpose(1, 2).expand(-1, 5, 3, 16, 16)


class _VLM:
    """Its answer turns at a strength of the clip's own, as steep for all."""

    def encode(self, video: torch.Tensor) -> torch.Tensor:
        return video[:, 0, :2, 0, 0]

    def log_probs(
        self, tokens: torch.Tensor, prompt: str, continuations: Sequence[str]
    ) -> torch.Tensor:
        turn = torch.tensor(TURNS)[(10 * tokens[:, 0]).round().long()]
        return torch.stack(
            [torch.zeros(len(tokens)), 8 * torch.tanh(15 * (tokens[:, 1] - turn))], 1
        )


BANK = ConceptBank({"red_blue": torch.tensor([[1.0]])})


def write(folder: Path, generator: _Generator, rounds: int = 2, **options: object) -> Generated:
    spacing = Spacing(Reader(generator, _VLM()), CONCEPT, rounds)
    methods, sampling = ("transporter", "random", "prompt_interpolation"), Sampling(2, 1.0, 4)
    options = {"spacing": spacing, **options}
    write_concept(folder, CONCEPT, PAIRS, generator, BANK, STOPS, methods, sampling, 0, **options)
    return Generated.load(folder)


def test_each_clip_has_strengths_of_its_own(tmp_path: Path) -> None:
    index = write(tmp_path / "made", _Generator()).index
    for method in ("transporter", "prompt_interpolation"):
        rows = index[index["method"] == method]
        for seed, turn in enumerate(TURNS):
            own = rows[rows["seed"] == seed]
            assert own["stop"].tolist() == list(STOPS)
            answers = 8 * np.tanh(15 * (own["phi"] - turn))
            moves = np.diff(answers)
            assert (moves / moves.sum()).max() < 0.35
            assert own["phi"].iloc[2] == pytest.approx(turn, abs=0.02)


def test_the_latents_and_clips_are_those_of_the_strengths(tmp_path: Path) -> None:
    made_of = write(tmp_path / "made", _Generator())
    for row in made_of.index[made_of.index["method"] == "transporter"].itertuples():
        assert made_of.z_xi[row.row].flatten().tolist() == pytest.approx([row.seed, row.phi])
        kind = "transporter" if row.phi else "origin"
        assert row.clip == f"clips/{kind}_seed{row.seed}_phi{row.phi:g}.mp4"
        assert (tmp_path / "made" / row.clip).is_file()


def test_no_clip_is_made_twice_and_the_origin_once(tmp_path: Path) -> None:
    generator = _Generator()
    index = write(tmp_path / "made", generator).index
    zeros = [one for one in generator.asked if one[1] == 0]
    assert sorted(zeros) == [(0, 0.0), (1, 0.0)]
    third = index[index["phi"] == 0].groupby("seed")["row"].nunique()
    assert third.tolist() == [1, 1]


def test_clips_are_decoded_once_and_those_of_no_stop_are_left_out(tmp_path: Path) -> None:
    generator = _Generator()
    index = write(tmp_path / "made", generator).index
    assert generator.decoded == len(generator.asked) > index["row"].nunique()
    files = {f"clips/{path.name}" for path in (tmp_path / "made" / "clips").iterdir()}
    assert files == set(index["clip"])


def test_the_swapped_word_looks_where_the_concept_was_found(tmp_path: Path) -> None:
    """Both change the condition alike here: the second search needs no more than its stops."""
    generator = _Generator()
    index = write(tmp_path / "made", generator).index
    for seed in (0, 1):
        own = index[(index["seed"] == seed) & (index["phi"] > 0)]
        phis = own[own["method"] == "prompt_interpolation"]["phi"].tolist()
        assert phis == own[own["method"] == "transporter"]["phi"].tolist()
        last = [phi for number, phi in generator.asked if number == seed][-len(phis) :]
        assert sorted(last) == pytest.approx(sorted(phis), abs=1e-4)


def test_a_control_that_moves_nothing_stays_at_the_stops(tmp_path: Path) -> None:
    """As long as the concept's change, but down: the answer falls."""
    generator = _Generator()
    slider = Slider(
        generator,
        generator.encode_text([minus for minus, _ in PAIRS]),
        Condition(-torch.ones(2, 1, 1)),
        [0, 1],
        STOPS,
        Sampling(2, 1.0, 4),
        Spacing(Reader(generator, _VLM()), CONCEPT),
    )
    for clip in slider.clips("down", made):
        assert [phi for phi, _ in clip.at(STOPS).values()] == list(STOPS)
    assert len(generator.asked) == len(set(generator.asked)) == 2 * len(STOPS)


def test_without_spacing_no_answer_is_asked_for(tmp_path: Path) -> None:
    index = write(tmp_path / "made", _Generator(), spacing=None).index
    assert (index["phi"] == index["stop"]).all()


@pytest.mark.parametrize("calls", [1, 3, 4, 6])
def test_a_killed_search_goes_on_where_it_was(tmp_path: Path, calls: int) -> None:
    """The same strengths and latents, and nothing is made twice."""

    class Killed(_Generator):
        left = calls

        def sample(self, *arguments: object, **others: object) -> torch.Tensor:
            self.left -= 1
            if self.left < 0:
                raise KeyboardInterrupt
            return super().sample(*arguments, **others)

    whole, before, after = _Generator(), Killed(), _Generator()
    expected = write(tmp_path / "whole", whole)
    keep = Kept(tmp_path / "unfinished", "settings")
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "made", before, keep=keep)
    assert not (tmp_path / "made").exists()
    again = write(tmp_path / "made", after, keep=keep)
    assert again.index.equals(expected.index) and torch.equal(again.z_xi, expected.z_xi)
    assert before.asked + after.asked == whole.asked
    for clip in expected.index["clip"].unique():
        assert (tmp_path / "made" / clip).read_bytes() == (tmp_path / "whole" / clip).read_bytes()
