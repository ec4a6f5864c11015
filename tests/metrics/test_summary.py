"""Summaries of readings on tables small enough to work out by hand."""

from __future__ import annotations

import pandas as pd
import pytest

from transporter.clips.contrast import Concept
from transporter.metrics.faithfulness import kept, label
from transporter.metrics.summary import SUMMARY, summarise

CONCEPT = Concept("slowly_quickly", "action", "slowly", "quickly", "how fast does it move ?")
WORDS = {"speed": ("slowly", "quickly"), "colour": ("red", "blue"), "ground": ("grass", "snow")}


def _readings(log_odds: list[float], p_target: float = 0.9, seeds: int = 2) -> pd.DataFrame:
    rows = [
        {
            "method": "transporter",
            "caption": "a red circle moves slowly",
            "seed": seed,
            "phi": phi,
            "log_odds": value + seed,
            "p_source": 1 - p_target,
            "p_target": p_target if phi else 0.0,
            "speed": "slowly",
            "colour": "blue" if phi == 1 and seed == 0 else "red",
            "ground": "snow" if phi else "grass",
        }
        for seed in range(seeds)
        for phi, value in zip((0.0, 0.5, 1.0), log_odds, strict=True)
    ]
    table = pd.DataFrame(rows)
    return label(table.assign(kept=kept(table, CONCEPT, WORDS)), CONCEPT, "world", "vlm")


def test_summary_of_a_rising_curve() -> None:
    summary = summarise(_readings([0, 1, 2]))
    assert tuple(summary.columns) == SUMMARY
    row = summary.iloc[0]
    assert (row["seeds"], row["spearman"], row["hit_rate"], row["others_kept"]) == (
        2,
        1.0,
        1.0,
        0.5,
    )


@pytest.mark.parametrize(
    ("curve", "spearman"), [([2, 1, 0], -1.0), ([0, 2, 1], 0.5), ([1, 1, 1], 0.0)]
)
def test_spearman_is_that_of_the_mean_curve(curve: list[float], spearman: float) -> None:
    assert summarise(_readings(curve)).iloc[0]["spearman"] == pytest.approx(spearman)


def test_a_source_that_stays_is_no_hit() -> None:
    assert summarise(_readings([0, 1, 2], p_target=0.4)).iloc[0]["hit_rate"] == 0


def test_without_a_judge_only_the_log_odds_are_summarised() -> None:
    table = _readings([0, 1, 2]).drop(
        columns=["p_source", "p_target", "kept", "speed", "colour", "ground"]
    )
    row = summarise(table).iloc[0]
    assert row["spearman"] == 1.0
    assert pd.isna(row["hit_rate"])
    assert pd.isna(row["others_kept"])


def test_words_that_the_probes_do_not_know_are_no_misses() -> None:
    """In one table with concepts that they do know, their cells are empty."""
    known = _readings([0, 1, 2])
    unknown = known.assign(concept="wet_dry").drop(columns=["p_source", "p_target"])
    summary = summarise(pd.concat([known, unknown])).set_index("concept")
    assert summary.loc[CONCEPT.name, "hit_rate"] == 1
    assert pd.isna(summary.loc["wet_dry", "hit_rate"])
