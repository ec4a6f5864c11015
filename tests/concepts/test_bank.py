"""The concept bank as a file, and its random control."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from transporter.concepts.bank import ConceptBank, random_like
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


def test_unknown_concepts_and_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"expected a concept of the bank \(red_blue\), got 'day_night'"
    ):
        ConceptBank({"red_blue": torch.zeros(1, 2)})["day_night"]
    with pytest.raises(UserError, match="no such file"):
        ConceptBank.load(tmp_path / "none.safetensors")


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
