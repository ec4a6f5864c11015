"""Rows, columns and captions of the main and the similarity table."""

from __future__ import annotations

import pandas as pd
import pytest

from transporter.figures.comparison_tables import comparison_rows, comparison_sentence, present
from transporter.figures.main_table import MAIN, main_caption
from transporter.figures.similarity_table import similarity_caption


@pytest.fixture
def compared() -> dict[str, pd.DataFrame]:
    table = pd.DataFrame(
        {
            "system": [
                "maco/w",
                "maco/w_dw",
                "transporter/g",
                "prompt_interpolation/g",
                "random/g",
                "real/clips",
            ],
            "clips": 12,
            "fvd": [9.0, 8.0, 1.0, 0.9, 1.0, 0.5],
            "fvd_beaten": [True, True, None, False, False, False],
            "fvd_gain_low": [7, 6, None, -0.2, -0.1, -1],
            "fvd_gain_high": [8, 7, None, -0.1, 0.1, -0.2],
            "delta": [1.0, 2.0, 3.0, 3.5, 0.0, 4.0],
            "delta_beaten": [True, False, None, False, True, False],
            "delta_gain_low": [1, -1, None, -1, 2, -2],
            "delta_gain_high": [3, 3, None, 1, 4, 2],
            "aesthetic": float("nan"),
        }
    )
    return {"a": table, "b": table}


def test_rows_have_the_papers_names(compared: dict[str, pd.DataFrame]) -> None:
    frame = comparison_rows(compared)
    assert frame["VLM"].tolist() == ["a"] * 5 + ["a, real"] + ["b"] * 5 + ["b, real"]
    controls = ["swapped word", "random direction", "real clips"]
    assert frame["method"].tolist()[:6] == ["MACO", "MACO", "TRANSPORTER", *controls]
    assert frame["maximises"].tolist()[:6] == ["w+", "w+ + dw", *"––––"]


def test_columns_without_numbers_are_not_shown(compared: dict[str, pd.DataFrame]) -> None:
    assert [column.key for column in present(MAIN, comparison_rows(compared))] == ["fvd", "delta"]


def test_captions_tell_what_is_won_left_out_and_inflated(compared: dict[str, pd.DataFrame]) -> None:
    frame = comparison_rows(compared)
    sentence = comparison_sentence(compared, present(MAIN, frame))
    assert (
        "TRANSPORTER on b is better than every baseline, the interval of the difference above 0, in"
        " FVD; " in sentence
    )
    assert "not shown to beat all in Δ (1 of 2 not)." in sentence
    assert "Beside its swapped word: worse in FVD." in sentence
    assert "Beside its random direction: better in Δ." in sentence
    alike = {"a": compared["a"].assign(fvd_gain_high=1)}
    told = comparison_sentence(alike, present(MAIN, frame))
    assert "Beside its swapped word: not told apart in any number." in told
    caption = main_caption(frame, sentence, ["no CLIP is configured"], ["FVD is inflated."])
    assert (
        "12 clips a row" in caption
        and "Left out: no CLIP is configured." in caption
        and "FVD is inflated." in caption
    )
    assert sentence in similarity_caption(frame, sentence)
