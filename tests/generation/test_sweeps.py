"""Sweeps and their files, on a generator whose latents show what it was asked for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from transporter.clips.contrast import Concept
from transporter.concepts.bank import ConceptBank
from transporter.generation.sweeps import (
    METHODS,
    Generated,
    composed,
    full_change,
    generate,
    sweep,
    write_concept,
)
from transporter.generators.base import Sampling
from transporter.generators.condition import Condition
from transporter.generators.modulation import Modulation
from transporter.support.errors import UserError
from transporter.support.kept import Kept

CONCEPT = Concept("red_blue", "object", "red", "blue", "what colour is it ?")
L, D = 3, 2
BANK = ConceptBank({"red_blue": torch.full((L, D), 10.0), "day_night": torch.full((1, D), 100.0)})
SAMPLING = Sampling(steps=4, guidance=1.0, batch=4)


class _Generator:
    """A latent is the noise's seed plus the mean of the condition; a caption's condition is its
    number of letters.
    """

    device = torch.device("cpu")
    fps = 8

    def __init__(self) -> None:
        self.batches: list[int] = []

    def encode_text(self, captions: Sequence[str]) -> Condition:
        letters = torch.tensor([float(len(caption)) for caption in captions])
        return Condition(letters.view(-1, 1, 1).expand(-1, L, D))

    def sample(
        self,
        condition: Condition,
        seeds: Sequence[int],
        steps: int,
        guidance: float,
        modulation: Modulation | None = None,
    ) -> torch.Tensor:
        copies = 1 if modulation is None else len(modulation.delta) // len(condition)
        changed = condition.repeat_interleave(copies)
        if modulation is not None:
            changed = changed + modulation.delta
        self.batches.append(len(changed))
        seeds = torch.tensor(seeds, dtype=torch.float32).repeat_interleave(copies)
        return (seeds + changed.embeddings.mean((1, 2))).view(-1, 1, 1, 1, 1).expand(-1, 1, 1, 2, 2)

    def decode(self, z_xi: torch.Tensor) -> torch.Tensor:
        return torch.zeros(len(z_xi), 5, 3, 16, 16)


def test_a_sweep_keeps_rows_and_strengths_apart_in_small_batches() -> None:
    generator = _Generator()
    condition = generator.encode_text(["a", "ab", "abc"])
    change = condition.along(torch.ones(L, D))
    z = sweep(generator, condition, change, [0.0, 0.5, 1.0], [100, 200, 300], SAMPLING)
    assert z[..., 0, 0, 0, 0].tolist() == [[101, 101.5, 102], [202, 202.5, 203], [303, 303.5, 304]]
    assert generator.batches == [3, 3, 3]


def test_methods_change_the_condition_as_they_say() -> None:
    pairs = [("a red dot", "a blue dot")]
    minus, change = full_change("transporter", CONCEPT, pairs, _Generator(), BANK, seed=0)
    assert torch.equal(change.embeddings[0], BANK["red_blue"])
    assert torch.equal(
        full_change("prompt_interpolation", CONCEPT, pairs, _Generator(), BANK, 0)[1].embeddings,
        torch.ones(1, L, D),
    )
    random = full_change("random", CONCEPT, pairs, _Generator(), BANK, 0)[1].embeddings[0]
    torch.testing.assert_close(random.norm(dim=-1), BANK["red_blue"].norm(dim=-1))
    assert torch.equal(minus.embeddings, torch.full((1, L, D), 9.0))
    with pytest.raises(UserError, match="expected some of transporter"):
        full_change("magic", CONCEPT, pairs, _Generator(), BANK, 0)


def test_what_is_written_comes_back_and_the_origin_is_made_once(tmp_path: Path) -> None:
    generator = _Generator()
    pairs = [("a red dot", "a blue dot"), ("red", "blue")]
    write_concept(
        tmp_path / "out", CONCEPT, pairs, generator, BANK, [0, 0.5, 1], METHODS, SAMPLING, seed=5
    )
    generated = Generated.load(tmp_path / "out")
    assert len(generated.index) == 3 * 2 * 3
    # two origins, then two strengths of three methods for two captions
    assert len(generated.z_xi) == 2 + 3 * 2 * 2
    origins = generated.index[generated.index["phi"] == 0]
    assert origins.groupby("seed")["row"].nunique().eq(1).all()
    row = generated.index.query("method == 'transporter' and seed == 6 and phi == 1").iloc[0]
    assert generated.z_xi[row["row"]].unique().tolist() == [6 + 3 + 10]
    assert all((tmp_path / "out" / clip).is_file() for clip in generated.index["clip"])


def test_a_sweep_may_be_its_end_alone(tmp_path: Path) -> None:
    """As that of a variant of an ablation is."""
    methods, pairs = ["transporter", "random"], [("a red dot", "a blue dot")]
    write_concept(tmp_path / "out", CONCEPT, pairs, _Generator(), BANK, [1], methods, SAMPLING)
    assert Generated.load(tmp_path / "out").index["phi"].tolist() == [1, 1]


@pytest.mark.parametrize("stop", [1, 3, 5, 6])
def test_a_killed_sweep_goes_on_where_it_was(tmp_path: Path, stop: int) -> None:
    """The same files, and nothing is sampled twice."""
    pairs = [(f"a red dot{'.' * number}", "a blue dot") for number in range(4)]

    class Killed(_Generator):
        def sample(self, *arguments: object, **others: object) -> torch.Tensor:
            if len(self.batches) == stop:
                raise KeyboardInterrupt
            return super().sample(*arguments, **others)

    def write(folder: str, generator: _Generator, *keep: Kept) -> dict[str, bytes]:
        out = tmp_path / folder
        write_concept(
            out, CONCEPT, pairs, generator, BANK, [0, 0.5, 1], METHODS, SAMPLING, 5, *keep
        )
        files = sorted(path for path in out.rglob("*") if path.is_file())
        return {str(path.relative_to(out)): path.read_bytes() for path in files}

    whole, before, after = _Generator(), Killed(), _Generator()
    expected = write("whole", whole)
    keep = Kept(tmp_path / "unfinished", "settings")
    with pytest.raises(KeyboardInterrupt):
        write("out", before, keep)
    assert write("out", after, keep) == expected
    assert before.batches + after.batches == whole.batches
    other = _Generator()
    write("other", other, Kept(tmp_path / "unfinished", "other settings"))
    assert other.batches == whole.batches
    keep.remove()
    assert not (tmp_path / "unfinished").exists()


def test_vectors_are_summed() -> None:
    bank = ConceptBank({"a": torch.randn(L, D), "b": torch.randn(1, D)})
    pi = Condition(torch.randn(2, L, D))
    change = composed(bank, pi, {"a": 0.5, "b": -2.0}).embeddings
    torch.testing.assert_close(change, (0.5 * bank["a"] - 2 * bank["b"]).expand(2, L, D))


def test_maps_take_captions_as_those_before_leave_them() -> None:
    """One adds 1 to every state, the other all that it finds."""

    class Bank:
        def change(self, name: str, pi: Condition) -> Condition:
            states = pi.embeddings
            return pi.along({"one": torch.ones_like(states), "all": states}[name])

    pi = Condition(torch.full((1, L, D), 5.0))
    for names, expected in ((("one", "all"), 1 + 6), (("all", "one"), 5 + 1)):
        change = composed(Bank(), pi, dict.fromkeys(names, 1.0)).embeddings
        assert change.unique().tolist() == [expected]


def test_one_video_composes_concepts() -> None:
    generator = _Generator()
    assert generate(
        generator, BANK, "red", {"red_blue": 1, "day_night": 0.5}, 0, SAMPLING
    ).shape == (5, 3, 16, 16)
    with pytest.raises(UserError, match="expected a concept of the bank"):
        generate(generator, BANK, "red", {"up_down": 1}, 0, SAMPLING)
