"""The concept bank as a file, and its random control."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from transporter.concepts.bank import ConceptBank, random_like
from transporter.concepts.maps import ConceptMap
from transporter.generators.condition import Condition
from transporter.support.errors import UserError


def test_round_trip(tmp_path: Path) -> None:
    bank = ConceptBank(
        {"red_blue": torch.randn(16, 8), "day_night": torch.randn(1, 8)},
        {"steps": 3, "tokens": "each"},
    )
    bank.save(tmp_path / "bank.safetensors")
    again = ConceptBank.load(tmp_path / "bank.safetensors")
    assert again.settings == bank.settings
    assert all(torch.equal(again[name], vector) for name, vector in bank.vectors.items())
    assert [path.name for path in tmp_path.iterdir()] == ["bank.safetensors"]


def test_maps_come_back_beside_vectors(tmp_path: Path) -> None:
    parts = (torch.randn(9), torch.randn(41, 3), torch.randn(3, 8))
    bank = ConceptBank({"red_blue": torch.randn(16, 8), "day_night": ConceptMap(*parts)})
    bank.save(tmp_path / "bank.safetensors")
    again = ConceptBank.load(tmp_path / "bank.safetensors")
    pi = Condition(torch.randn(2, 16, 8))
    for name in bank.vectors:
        assert torch.equal(again.change(name, pi).embeddings, bank.change(name, pi).embeddings)
    bank.check((16, 8), "bank.safetensors")
    with pytest.raises(UserError, match=r"got \(16, 8\) for red_blue"):
        bank.check((16, 4), "bank.safetensors")
    with pytest.raises(UserError, match=r"got \('\*', 8\) for day_night"):
        ConceptBank({"day_night": ConceptMap(*parts)}).check((16, 4), "bank.safetensors")


def test_the_control_of_a_map_has_the_norms_of_every_captions_tokens() -> None:
    found = ConceptMap(torch.randn(9), torch.randn(41, 3), torch.randn(3, 8))
    bank, pi = ConceptBank({"day_night": found}), Condition(torch.randn(2, 16, 8))
    change, control = bank.change("day_night", pi), bank.control("day_night", pi, seed=1)
    torch.testing.assert_close(control.embeddings.norm(dim=-1), change.embeddings.norm(dim=-1))
    assert not torch.allclose(control.embeddings, change.embeddings)


def test_unknown_concepts_and_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"expected a concept of the bank \(red_blue\), got 'day_night'"
    ):
        ConceptBank({"red_blue": torch.zeros(1, 2)})["day_night"]
    with pytest.raises(UserError, match="no such file"):
        ConceptBank.load(tmp_path / "none.safetensors")


def test_a_damaged_bank_is_refused_in_one_line(tmp_path: Path) -> None:
    place = tmp_path / "bank.safetensors"
    ConceptBank({"red_blue": torch.zeros(16, 8)}, {"steps": 3}).save(place)
    whole = place.read_bytes()
    for damaged in (b"", whole[:-1], whole[:40], b"version https://git-lfs", b"\xff" * 100):
        place.write_bytes(damaged)
        with pytest.raises(UserError, match="expected a concept bank") as error:
            ConceptBank.load(place)
        assert str(error.value).startswith(str(place)) and "\n" not in str(error.value)


@pytest.mark.parametrize("header", [None, {}, {"settings": "{"}, {"settings": "[]"}])
def test_other_safetensors_are_no_bank(tmp_path: Path, header: dict[str, str] | None) -> None:
    save_file({"a": torch.zeros(1)}, tmp_path / "bank.safetensors", header)
    with pytest.raises(UserError, match="expected a concept bank, got a safetensors file without"):
        ConceptBank.load(tmp_path / "bank.safetensors")


@pytest.mark.parametrize("names", [["a/down"], ["a/down", "a/up", "a/more"]])
def test_half_a_map_is_no_concept(tmp_path: Path, names: list[str]) -> None:
    place = tmp_path / "bank.safetensors"
    save_file({name: torch.zeros(1, 2) for name in names}, place, {"settings": "{}"})
    with pytest.raises(UserError, match="expected vectors and maps of a concept bank") as error:
        ConceptBank.load(place)
    assert "\n" not in str(error.value)


def test_random_control_has_the_norm_of_every_token_and_another_direction() -> None:
    vector = torch.randn(16, 96)
    control = random_like(vector, seed=1)
    torch.testing.assert_close(control.norm(dim=-1), vector.norm(dim=-1))
    assert (
        torch.nn.functional.cosine_similarity(control.flatten(), vector.flatten(), dim=0).abs()
        < 0.2
    )
    assert torch.equal(control, random_like(vector, seed=1))


def test_vectors_of_another_generator_are_refused() -> None:
    bank = ConceptBank({"each": torch.zeros(16, 96), "shared": torch.zeros(1, 96)})
    bank.check((16, 96), "bank.safetensors")
    for shape in ((16, 128), (8, 96)):
        with pytest.raises(UserError, match=r"^bank\.safetensors: .*got \(16, 96\) for each"):
            bank.check(shape, "bank.safetensors")
