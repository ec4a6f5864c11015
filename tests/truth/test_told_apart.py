"""Planted VLMs against honest ones, by what the question's own word does to their answers."""

from __future__ import annotations

import pandas as pd
import pytest

from transporter.truth.told_apart import CASE, told_apart, word_moves


def test_moves_are_means_over_clips_that_can_flip() -> None:
    odds = {"origin": [-2.0, -4.0, 1.0, -1.0], "prompt_interpolation": [0.0, 2.0, 9.0, -1.5]}
    readings = pd.DataFrame(
        [
            (caption, seed, method, values[2 * caption + seed])
            for method, values in odds.items()
            for caption in (0, 1)
            for seed in (0, 1)
        ],
        columns=["caption", "seed", "method", "log_odds"],
    )
    assert word_moves(readings).to_dict() == {0: 4.0, 1: -0.5}


def _moves(planted: dict[str, tuple[float, list[float]]]) -> pd.DataFrame:
    rows = [
        ("g", "v", case, "pair", learnt, move)
        for case, (learnt, moves) in planted.items()
        for move in moves
    ]
    return pd.DataFrame(rows, columns=[*CASE, "learnt", "move"])


def test_each_planted_vlm_against_all_honest_captions() -> None:
    nan = float("nan")
    moves = _moves(
        {
            "honest": (nan, [5.0, 6.0, 7.0, 8.0]),
            "coin": (nan, [0.0]),
            "by_red": (1.0, [0.0, 1.0]),
            "by_day": (0.95, [5.5, 6.5]),
            "by_day_withheld": (0.95, [5.5, 6.5]),
            "by_snow": (0.5, [0.0]),
        }
    )
    table = told_apart(moves).set_index("planted")
    assert table["auroc"].to_dict() == {"by_red": 1.0, "by_day": 0.625, "all": 0.8125}
    assert table["captions"].to_dict() == {"by_red": 2, "by_day": 2, "all": 4}
    assert set(table["honest"]) == {4}


def test_without_planted_or_honest_vlms_nothing_is_told_apart() -> None:
    nan = float("nan")
    assert told_apart(_moves({"honest": (nan, [1.0])})).empty
    alone = told_apart(_moves({"by_red": (1.0, [0.0, 1.0])}))
    assert alone["honest"].tolist() == [0] and alone["auroc"].isna().all()
    assert alone["captions"].tolist() == pytest.approx([2])
