"""Parts of a job come back bit for bit, and only to the very job that made them."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import pytest
import torch

from transporter.support.files import write_table
from transporter.support.kept import Kept, columns_of, made, stamps


def never() -> object:
    raise AssertionError("it is kept already")


def test_a_part_is_made_once(tmp_path: Path) -> None:
    part = {"z": torch.randn(3, 2).bfloat16(), "names": ["a", ""], "numbers": [0.1, float("inf")]}
    first = Kept(tmp_path / "parts", "a")("part", lambda: part)
    again = Kept(tmp_path / "parts", "a")("part", never)
    assert first is part and torch.equal(again["z"], part["z"])
    assert again["z"].dtype == torch.bfloat16
    assert again["names"] == part["names"] and again["numbers"] == part["numbers"]
    assert Kept(tmp_path / "parts", "b")("part", lambda: 3) == 3
    assert Kept(tmp_path / "parts", "b")("other", lambda: 4) == 4
    assert Kept(tmp_path / "parts", "b").within("one")("other", lambda: 5) == 5
    assert Kept(tmp_path / "parts", "b").within("one")("other", never) == 5
    assert made("part", lambda: 6) == 6


def test_a_damaged_part_is_made_again(tmp_path: Path) -> None:
    keep = Kept(tmp_path / "parts", "a")
    keep("part", lambda: 1)
    file = tmp_path / "parts" / "part.safetensors"
    file.write_bytes(file.read_bytes()[:-3])
    assert keep("part", lambda: 2) == 2
    assert keep("part", never) == 2


def test_a_table_comes_back_to_the_last_digit(tmp_path: Path) -> None:
    table = pd.DataFrame(
        {"seed": [1, 2, 3], "odds": [1 / 3, float("nan"), -0.0], "word": ["", "a\tb", "NA"]}
    )
    keep = Kept(tmp_path / "parts", "a")
    keep("table", lambda: columns_of(table))
    again = pd.DataFrame(keep("table", never))
    pd.testing.assert_frame_equal(again, table, check_exact=True)
    for name, rows in (("one", table), ("two", again)):
        write_table(rows, tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


@pytest.mark.parametrize("folder", [False, True])
def test_stamps_tell_what_has_changed(tmp_path: Path, folder: bool) -> None:
    file = tmp_path / "a" / "b.txt"
    file.parent.mkdir()
    file.write_text("one")
    place = file.parent if folder else file
    before = stamps([place])
    assert stamps([str(place)]) == before and len(before) == 1
    os.utime(file, ns=(1, 1))
    assert stamps([place]) != before
