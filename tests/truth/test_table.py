"""Verdicts on made-up readings whose truth is plain."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from microworld.shortcuts import Shortcut
from transporter.truth.cases import Case
from transporter.truth.controls import RANDOM
from transporter.truth.table import summarise, verdict_table

WORDS = {
    "speed": ("slowly", "quickly"),
    "colour": ("red", "yellow", "green", "blue"),
    "size": ("small", "large"),
}
NATURAL = {"speed": 0.5, "colour": 0.75, "size": 0.5}
CAPTIONS, SEEDS = 12, 2


def _clip(
    method: str, number: int, seed: int, speed: str, colour: str, size: str = "small"
) -> dict[str, object]:
    said = {"speed": speed, "colour": colour, "size": size}
    row = {word: float(word == said[name]) for name, words in WORDS.items() for word in words}
    odds = {
        "log_odds": 6.0 if colour == "red" else -6.0,
        "log_odds_honest": 4.0 if speed == "quickly" else -4.0,
    }
    return {"method": method, "caption": f"caption {number}", "seed": seed} | odds | row


def _readings() -> pd.DataFrame:
    """A VLM that says quickly of what is red: a true explanation, one of the words alone, and none.
    Caption 0 is red at first.
    """
    rows = []
    for number in range(CAPTIONS):
        for seed in range(SEEDS):
            first = "blue" if number else "red"
            rows += [
                _clip("origin", number, seed, "slowly", first),
                _clip("logits", number, seed, "slowly", "red", "large" if number == 1 else "small"),
                _clip("velocity", number, seed, "quickly", first),
                _clip("random", number, seed, "slowly", first),
            ]
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def verdicts(planted: Case) -> pd.DataFrame:
    return verdict_table(_readings(), planted, NATURAL, WORDS).set_index("method")


def test_only_clips_that_can_flip_count(verdicts: pd.DataFrame) -> None:
    assert verdicts["captions"].eq(CAPTIONS - 1).all()
    assert verdicts["clips"].eq((CAPTIONS - 1) * SEEDS).all()


def test_the_named_cue_is_what_the_clips_show(verdicts: pd.DataFrame) -> None:
    assert verdicts["named"].to_dict() == {
        "logits": "colour",
        "velocity": "none",
        "random": "none",
    }
    assert verdicts["chance"].to_dict() == pytest.approx(
        {"logits": 0, "velocity": 1, "random": 1}, abs=1e-6
    )
    assert verdicts["cue"].eq("colour").all()
    assert verdicts.loc["logits", "margin_low"] > 0 > verdicts.loc["velocity", "margin_high"]
    assert verdicts.loc["velocity", "margin"] == pytest.approx(-2)


def test_a_true_explanation_flips_its_vlm_and_no_honest_one(verdicts: pd.DataFrame) -> None:
    assert verdicts.loc["logits", ["flips", "flips_honest"]].tolist() == [1, 0]
    assert verdicts.loc["velocity", ["flips", "flips_honest"]].tolist() == [0, 1]
    assert verdicts.loc["logits", ["log_odds", "log_odds_low", "log_odds_high"]].tolist() == [
        12,
        12,
        12,
    ]
    assert verdicts.loc["velocity", "log_odds_honest"] == 8


def test_drift_counts_neither_the_word_nor_the_cue(verdicts: pd.DataFrame) -> None:
    assert verdicts["drift"].to_dict() == pytest.approx(
        {"logits": 2 / 11, "velocity": 0, "random": 0}
    )
    row = verdicts.loc["logits"]
    assert row["others_kept"] == pytest.approx(10 / 11)
    assert row["drift_low"] == 0 < row["drift"] < row["drift_high"]


def test_an_honest_vlm_is_explained_by_what_the_word_says(honest: Case) -> None:
    readings = (
        _readings()
        .assign(log_odds=lambda table: table["log_odds_honest"])
        .drop(columns="log_odds_honest")
    )
    verdicts = verdict_table(readings, honest, NATURAL, WORDS).set_index("method")
    assert verdicts.loc["velocity", ["cue", "named", "flips"]].tolist() == ["speed", "speed", 1]
    assert "flips_honest" not in verdicts


def test_without_a_judge_the_closed_loop_is_left(planted: Case) -> None:
    readings = _readings()[["method", "caption", "seed", "log_odds"]]
    verdicts = verdict_table(readings, planted, {}, {}).set_index("method")
    assert verdicts["flips"].to_dict() == {"logits": 1, "velocity": 0, "random": 0}
    assert "named" not in verdicts


def test_a_summary_counts_true_explanations(planted: Case, honest: Case) -> None:
    readings = _readings()
    own = readings.assign(log_odds=lambda table: table["log_odds_honest"]).drop(
        columns="log_odds_honest"
    )
    parts = [
        verdict_table(readings, planted, NATURAL, WORDS).assign(planted="speed_by_colour"),
        verdict_table(readings, planted, NATURAL, WORDS).assign(
            planted="speed_by_colour_partly", named="size"
        ),
        verdict_table(own, honest, NATURAL, WORDS).assign(planted="honest"),
    ]
    summary = summarise(pd.concat(parts, ignore_index=True)).set_index(["vlms", "method"])
    assert (
        summary.loc["planted", "cases"].eq(2).all() and summary.loc["honest", "cases"].eq(1).all()
    )
    # one of two: exact, not "between 0 and 1 of the two that there are"
    exact = binomtest(1, 2).proportion_ci(0.95, "exact")
    assert summary.loc[("planted", "logits"), ["true", "false", "settled"]].tolist() == [
        0.5,
        0.5,
        1,
    ]
    assert summary.loc[("planted", "logits"), ["true_low", "true_high"]].tolist() == pytest.approx(
        [exact.low, exact.high]
    )
    assert summary.loc[("planted", "velocity"), ["true", "false"]].tolist() == [0, 0.5]
    assert summary.loc["honest", "true"].to_dict() == {"logits": 0, "velocity": 1, "random": 0}
    assert summary.loc[("planted", "logits"), ["flips", "flips_honest"]].tolist() == [1, 0]
    assert summary.loc["honest", "flips_honest"].isna().all()
    without = summarise(
        pd.concat(parts, ignore_index=True).drop(
            columns=["named", "cue", "margin_low", "drift", "others_kept"]
        )
    )
    assert "true" not in without and without["flips"].notna().all()


def test_a_summary_has_withheld_cues_apart(planted: Case) -> None:
    verdicts = verdict_table(_readings(), planted, NATURAL, WORDS)
    names = {"speed_by_colour": "planted", "speed_by_colour_withheld": "withheld"}
    parts = [verdicts.assign(planted=name) for name in names]
    summary = summarise(pd.concat(parts, ignore_index=True)).set_index(["vlms", "method"])
    assert summary.index.get_level_values("vlms").unique().tolist() == list(names.values())
    assert summary["cases"].eq(1).all()


def test_eight_of_eight_is_no_certainty(verdicts: pd.DataFrame) -> None:
    """All clips of 11 captions flip: the interval is that of 11 of 11."""
    exact = binomtest(CAPTIONS - 1, CAPTIONS - 1).proportion_ci(0.95, "exact")
    assert verdicts.loc["logits", ["flips_low", "flips_high"]].tolist() == pytest.approx(
        [exact.low, 1]
    )


def test_of_a_coin_nothing_is_named(planted: Case) -> None:
    """Though half of its answers flip, and the clips change as those of a true explanation do."""
    coin, readings = Case(planted.concept, world=planted.world, null=True), _readings()
    named = []
    for salt in range(2):
        toss = np.random.default_rng(salt).choice([-1.0, 1.0], len(readings))
        table = verdict_table(readings.assign(log_odds=toss), coin, NATURAL, WORDS)
        named += table["named"].tolist()
        assert table["cue"].eq("none").all() and "margin" not in table
    assert named.count("none") >= len(named) - 1


def test_what_was_not_learnt_is_no_case(verdicts: pd.DataFrame) -> None:
    rows = verdicts.reset_index()
    parts = [
        rows.assign(planted="speed_by_colour", learnt=0.99),
        rows.assign(planted="not_learnt", learnt=0.6),
        rows.assign(planted="honest", learnt=np.nan),
    ]
    summary = summarise(pd.concat(parts, ignore_index=True)).set_index(["vlms", "method"])
    assert summary.loc[("planted", RANDOM), "cases"] == 1
    assert summary.loc[("honest", RANDOM), "cases"] == 1


def test_a_conjunction_names_both_attributes(planted: Case) -> None:
    shortcut = Shortcut(
        "both", "speed", "colour=red+size=large", {"yes": "quickly", "no": "slowly"}
    )
    case = Case(planted.concept, shortcut, planted.world)
    readings = _readings()
    large = (readings["method"] == "logits") & (readings["caption"] != "caption 2")
    readings.loc[large, ["small", "large"]] = [0.0, 1.0]
    row = verdict_table(readings, case, NATURAL, WORDS).set_index("method").loc["logits"]
    assert (row["cue"], row["named"]) == ("colour+size", "colour+size")
    # the cue that changes least, by 1 / 0.75 each time, against speed, which stays
    assert row["margin"] == pytest.approx(1 / 0.75)


def test_of_a_cue_without_words_nothing_is_known_to_be_true(planted: Case) -> None:
    shortcut = Shortcut("light", "speed", "bright", {"yes": "quickly", "no": "slowly"})
    case = Case(planted.concept, shortcut, planted.world)
    table = verdict_table(_readings(), case, NATURAL, WORDS).assign(planted="light")
    assert table["cue"].eq("").all() and "margin" not in table
    row = summarise(table).set_index("method").loc["logits"]
    assert np.isnan(row["true"]) and row["flips"] == 1


def test_flips_that_any_edit_brings_do_not_count(planted: Case) -> None:
    """Nor are the edits that were asked about a method of their own."""
    readings = _readings()
    asked = readings[readings["method"] == "logits"].assign(method="asked")
    table = verdict_table(pd.concat([readings, *[asked] * 20]), planted, NATURAL, WORDS)
    assert set(table["method"]) == {"logits", "velocity", "random"}
    row = table.set_index("method").loc["logits"]
    assert row["flips"] == 1 and row["chance"] > 0.01 and row["named"] == "none"


def test_a_cue_without_words_is_looked_for_in_the_clips(planted: Case) -> None:
    """Noise flips as many answers as a true explanation, and shows nothing."""
    readings = _readings().assign(cue_shown=0.0)
    true = (readings["method"] == "logits") & (readings["caption"] != "caption 1")
    noise = readings[readings["method"] == "logits"].assign(method="noise")
    readings.loc[true, "cue_shown"] = 1.0
    table = verdict_table(pd.concat([readings, noise]), planted, NATURAL, WORDS)
    found = table.set_index("method")
    assert found.loc["noise", "flips"] == found.loc["logits", "flips"] == 1
    assert found.loc["noise", "cue_shown"] == 0
    assert found.loc["logits", "cue_shown"] == pytest.approx((CAPTIONS - 2) / (CAPTIONS - 1))
    low, high = found.loc["logits", ["cue_shown_low", "cue_shown_high"]]
    assert low < found.loc["logits", "cue_shown"] < high
