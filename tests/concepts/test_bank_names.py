"""The names of a bank, without its vectors."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from transporter.concepts.bank import ConceptBank
from transporter.concepts.bank_names import bank_names
from transporter.support.errors import UserError


def test_the_names_are_those_of_the_bank(tmp_path: Path) -> None:
    bank = ConceptBank({"red_blue": torch.ones(2, 3), "day_night": torch.ones(1, 3)})
    bank.save(tmp_path / "bank.safetensors")
    assert set(bank_names(tmp_path / "bank.safetensors")) == bank.vectors.keys()


@pytest.mark.parametrize("content", [b"", b"no bank", b"\xff" * 100, None])
def test_what_is_no_bank_is_said_in_one_line(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "bank.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match="expected a concept bank") as caught:
        bank_names(path)
    assert "\n" not in str(caught.value)


def test_the_parts_of_a_map_are_one_name(tmp_path: Path) -> None:
    save_file(
        {"a/left": torch.ones(1), "a/right": torch.ones(1), "b": torch.ones(1)}, tmp_path / "m"
    )
    assert bank_names(tmp_path / "m") == ["a", "b"]
