"""The curve of a training is smoothed as it says, and goes on where it stopped."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import torch

from transporter.training.curve import Curve


def test_values_are_smoothed_from_the_first_on(tmp_path: Path) -> None:
    curve = Curve(tmp_path / "curve.tsv", fresh=0.25)
    for value in (4.0, 8.0, 0.0):
        curve.add({"loss": torch.tensor(value)})
    curve.write(3, {"held_out": 7.0}, speed=1.0)
    row = pd.read_csv(tmp_path / "curve.tsv", sep="\t").iloc[0]
    assert dict(row) == {"step": 3, "loss": pytest.approx(3.75), "held_out": 7}


def test_nothing_is_smoothed_where_only_the_new_counts(tmp_path: Path) -> None:
    curve = Curve(tmp_path / "curve.tsv", fresh=1.0)
    for value in (4.0, 0.1):
        curve.add({"loss": torch.tensor(value, dtype=torch.double)})
    assert curve.smooth["loss"] == 0.1


def test_a_term_that_joins_later_has_empty_cells_before(tmp_path: Path) -> None:
    curve = Curve(tmp_path / "curve.tsv", fresh=1.0)
    curve.add({"loss": torch.tensor(1.0)})
    curve.write(1, {}, speed=1.0)
    curve.add({"loss": torch.tensor(2.0), "prior": torch.tensor(3.0)})
    curve.write(2, {}, speed=1.0)
    lines = (tmp_path / "curve.tsv").read_text().splitlines()
    assert lines == ["step\tloss\tprior", "1\t1\t", "2\t2\t3"]


def test_a_resumed_curve_has_the_rows_of_its_checkpoint_alone(tmp_path: Path) -> None:
    """Rows that were written after it are written again, not twice."""
    curve = Curve(tmp_path / "curve.tsv", fresh=0.5)
    curve.add({"loss": torch.tensor(1.0)})
    curve.write(1, {}, speed=1.0)
    state = {**curve.state_dict(), "rows": list(curve.rows), "smooth": dict(curve.smooth)}
    curve.write(2, {}, speed=1.0)
    resumed = Curve(tmp_path / "curve.tsv", fresh=0.5)
    resumed.load_state_dict(state)
    assert (tmp_path / "curve.tsv").read_text().splitlines() == ["step\tloss", "1\t1"]
    resumed.add({"loss": torch.tensor(3.0)})
    resumed.write(2, {}, speed=1.0)
    assert (tmp_path / "curve.tsv").read_text().splitlines() == ["step\tloss", "1\t1", "2\t2"]
