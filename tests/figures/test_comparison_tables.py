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
            "system": ["maco/w", "maco/w_dw", "transporter/g", "real/clips"],
            "clips": 12,
            "fvd": [9.0, 8.0, 1.0, 0.5],
            "fvd_beaten": [True, True, None, False],
            "delta": [1.0, 2.0, 3.0, 4.0],
            "delta_beaten": [True, False, None, False],
            "aesthetic": float("nan"),
        }
    )
    return {"a": table, "b": table}


def test_rows_have_the_papers_names(compared: dict[str, pd.DataFrame]) -> None:
    frame = comparison_rows(compared)
    assert frame["VLM"].tolist() == ["a"] * 3 + ["a, real"] + ["b"] * 3 + ["b, real"]
    assert frame["method"].tolist()[:4] == ["MACO", "MACO", "TRANSPORTER", "real clips"]
    assert frame["maximises"].tolist()[:4] == ["w+", "w+ + dw", "–", "–"]


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
    caption = main_caption(frame, sentence, ["no CLIP is configured"], ["FVD is inflated."])
    assert (
        "12 clips a row" in caption
        and "Left out: no CLIP is configured." in caption
        and "FVD is inflated." in caption
    )
    assert sentence in similarity_caption(frame, sentence)
