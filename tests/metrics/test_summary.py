"""Summaries of readings on tables small enough to work out by hand."""

from __future__ import annotations

import pandas as pd
import pytest

from transporter.clips.contrast import Concept
from transporter.metrics.faithfulness import kept, label
from transporter.metrics.summary import STRATA, SUMMARY, by_length, summarise, through_phi

CONCEPT = Concept("slowly_quickly", "action", "slowly", "quickly", "how fast does it move ?")
WORDS = {"speed": ("slowly", "quickly"), "colour": ("red", "blue"), "ground": ("grass", "snow")}


def _readings(log_odds: list[float], p_target: float = 0.9, seeds: int = 2) -> pd.DataFrame:
    rows = [
        {
            "method": "transporter",
            "caption": "a red circle moves slowly",
            "seed": seed,
            "stop": phi,
            "phi": phi,
            "log_odds": value + seed,
            "p_source": 1 - p_target,
            "p_target": p_target if phi else 0.0,
            "hit": int(p_target > 0.5 and phi > 0),
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
        columns=["p_source", "p_target", "hit", "kept", "speed", "colour", "ground"]
    )
    row = summarise(table).iloc[0]
    assert row["spearman"] == 1.0
    assert pd.isna(row["hit_rate"])
    assert pd.isna(row["others_kept"])


def test_faults_at_the_ends_and_between() -> None:
    table = _readings([0, 1, 2]).assign(faults="none")
    table.loc[(table["seed"] == 0) & (table["phi"] == 1), "faults"] = "pale, in pieces"
    table.loc[table["phi"] == 0.5, "faults"] = "vanished"
    row = summarise(table).iloc[0]
    assert (row["faults_ends"], row["faults_between"]) == (0.25, 1)


def test_a_clip_in_which_nobody_looked_for_faults_is_not_one_without() -> None:
    row = summarise(_readings([0, 1, 2])).iloc[0]
    assert pd.isna(row["faults_ends"])
    assert pd.isna(row["faults_between"])


def test_words_that_the_probes_do_not_know_are_no_misses() -> None:
    """In one table with concepts that they do know, their cells are empty."""
    known = _readings([0, 1, 2])
    unknown = known.assign(concept="wet_dry").drop(columns=["p_source", "p_target", "hit"])
    summary = summarise(pd.concat([known, unknown])).set_index("concept")
    assert summary.loc[CONCEPT.name, "hit_rate"] == 1
    assert pd.isna(summary.loc["wet_dry", "hit_rate"])


def test_a_switch_and_a_slider_are_told_apart() -> None:
    even = summarise(_readings([-4, 0, 4])).iloc[0]
    switch = summarise(_readings([-4, -4, 4])).iloc[0]
    assert (even["effect"], switch["effect"]) == (8, 8)
    assert (even["largest_step"], switch["largest_step"]) == (0.5, 1)
    assert (even["middle"], switch["middle"]) == (0.5, 0)
    assert (even["rising"], switch["rising"]) == (1, 0)
    still = summarise(_readings([1, 1, 1])).iloc[0]
    assert (still["effect"], still["rising"]) == (0, 0)
    assert pd.isna(still["largest_step"])


def test_eight_of_eight_may_be_six_of_ten() -> None:
    row = summarise(_readings([0, 1, 2], seeds=8)).iloc[0]
    assert (row["hit_rate"], row["hit_rate_high"]) == (1, 1)
    assert row["hit_rate_low"] == pytest.approx(0.025 ** (1 / 8))


def _in_captions(words: dict[int, int], concept: str = "slowly_quickly") -> pd.DataFrame:
    """A clip at both ends for each caption, of so many words; a hit or not."""
    rows = [
        {
            "caption": " ".join(["word"] * length),
            "seed": number,
            "stop": phi,
            "phi": phi,
            "method": "transporter",
            "log_odds": phi - 0.5 if hit else -1.0,
            "hit": int(hit and phi == 1),
            "kept": 1.0,
        }
        for number, (length, hit) in enumerate(words.items())
        for phi in (0.0, 1.0)
    ]
    named = Concept(concept, "action", "slowly", "quickly", "how fast ?")
    return label(pd.DataFrame(rows), named, "world", "vlm")


def test_short_captions_are_told_from_long_ones() -> None:
    readings = pd.concat(
        [
            _in_captions({3: False, 4: False, 6: True, 7: True, 11: True, 12: True}),
            _in_captions({3: True, 4: False, 6: True, 7: True, 11: True, 12: False}, "red_blue"),
        ]
    )
    table = by_length(readings)
    assert tuple(table.columns) == STRATA
    rows = table.set_index("captions")
    assert rows["clips"].to_dict() == {
        "3 to 4 words": 4,
        "6 to 7 words": 4,
        "11 to 12 words": 4,
        "all": 12,
    }
    assert rows["hit_rate"].tolist() == [0.25, 1, 0.75, 8 / 12]
    assert rows["answer_rate"].tolist() == [0.25, 1, 0.75, 8 / 12]
    assert rows.loc["3 to 4 words", ["worst_concept", "worst_hit_rate"]].tolist() == [
        "slowly_quickly",
        0,
    ]
    assert rows.loc["11 to 12 words", "worst_concept"] == "red_blue"


def test_without_probes_lengths_have_answers_alone() -> None:
    row = by_length(_in_captions({3: True, 9: False}).drop(columns=["hit", "kept"])).iloc[-1]
    assert row["answer_rate"] == 0.5
    assert pd.isna(row["hit_rate"])
    assert row["worst_concept"] is None


def test_answers_through_phi_are_counted_beside_the_plain_ones() -> None:
    names = {"generator": "wan", "vlm": "gemma3"}
    readings = pd.DataFrame(
        {
            **names,
            "concept": ["red_blue", "red_blue", "day_night"],
            "log_odds": [-1.0, 2.0, 3.0],
            "log_odds_phi": [-1.5, -2.0, 3.0],
            "caption_reencoded": ["a circle", "a square", "night"],
            "caption_phi": ["a circle", "a circle", "night"],
        }
    )
    by_concept = through_phi(readings).set_index("concept")
    assert by_concept.index.tolist() == ["red_blue", "day_night", "all"]
    assert by_concept["clips"].tolist() == [2, 1, 3]
    assert by_concept["same_answer"].tolist() == pytest.approx([0.5, 1, 2 / 3])
    assert by_concept["same_caption"].tolist() == pytest.approx([0.5, 1, 2 / 3])
    assert by_concept["difference"].tolist() == pytest.approx([2.25, 0, 1.5])
    assert by_concept["difference_high"].tolist() == [4, 0, 4]
    # one of one: anything from a fortieth up
    assert by_concept.loc["day_night", "same_answer_low"] == pytest.approx(0.025)
