"""The matrix of the benchmark, on a small table."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from transporter.figures.truth import truth_matrix
from transporter.support.errors import UserError


def _table(named: str) -> pd.DataFrame:
    rows = [
        {
            "generator": "world",
            "vlm": "vlm",
            "planted": planted,
            "concept": "slowly_quickly",
            "method": method,
            "cue": "colour",
        }
        | {"named": named, "change_speed": 0.1, "change_speed_low": 0.0, "change_colour": 1.5}
        for planted, methods in (
            ("speed_by_colour", ("velocity", "oracle")),
            ("honest", ("velocity",)),
        )
        for method in methods
    ]
    return pd.DataFrame(rows)


def test_both_forms_are_written_and_the_same_table_gives_the_same_bytes(tmp_path: Path) -> None:
    paths = [tmp_path / f"{name}.{form}" for name in ("a", "b") for form in ("png", "pdf")]
    truth_matrix(_table("colour"), paths[:2])
    truth_matrix(_table("colour"), paths[2:])
    assert [path.read_bytes()[:4] for path in paths[:2]] == [b"\x89PNG", b"%PDF"]
    assert paths[0].read_bytes() == paths[2].read_bytes()
    assert paths[1].read_bytes() == paths[3].read_bytes()


def test_the_picture_shows_what_is_named(tmp_path: Path) -> None:
    pictures = []
    for named in ("colour", "speed", "none", "colour+speed"):
        truth_matrix(_table(named), [tmp_path / f"{named}.png"])
        pictures.append(np.asarray(Image.open(tmp_path / f"{named}.png").convert("RGB"), dtype=int))
    assert all((a != b).any() for a, b in combinations(pictures, 2))


def test_a_table_without_a_judge_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="set `probes`"):
        truth_matrix(
            _table("colour").drop(columns=["change_speed", "change_colour", "change_speed_low"]),
            [tmp_path / "a.png"],
        )
    assert not list(tmp_path.iterdir())
