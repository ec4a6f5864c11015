"""The ablation table on readings made by hand: paired differences, and which orders hold, fail, or
stay open.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import pandas as pd
import pytest

from transporter.clips.contrast import Concept
from transporter.figures import ablation
from transporter.figures.ablation import (
    BASE,
    BASELINE,
    EQUAL,
    FAILS,
    FULL,
    HOLDS,
    OPEN,
    columns,
    compare,
    difference,
    explain,
    orders,
    orders_in_words,
    score_readings,
    verdict,
)
from transporter.metrics import caption_scores
from transporter.statistics.bootstrap import Interval, bootstrap
from transporter.support.errors import UserError

CONCEPTS = {"red_blue": Concept("red_blue", "object", "red", "blue", "what colour ?")}
SOURCES = [
    f"a {size} red {shape} moves {way}"
    for size in ("small", "large")
    for shape in ("circle", "square")
    for way in ("up", "left")
]
TARGETS = [source.replace("red", "blue") for source in SOURCES]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No Java to start, and few resamples."""
    monkeypatch.setattr(caption_scores, "has_java", lambda: False)
    monkeypatch.setattr(ablation, "bootstrap", partial(bootstrap, draws=100))


def cosines(captions: Sequence[str], targets: Sequence[str]) -> np.ndarray:
    """A stand-in: the share of equal words."""
    pairs = [
        (set(one.split()), set(other.split())) for one, other in zip(captions, targets, strict=True)
    ]
    return np.array([len(one & other) / len(one | other) for one, other in pairs])


def readings(right: Sequence[int], again: Sequence[int] | None = None) -> pd.DataFrame:
    """Clips of which those in `right` are read as the target, the others as the source."""
    rows = [
        {
            "concept": "red_blue",
            "caption": source,
            "seed": seed,
            "caption_phi": TARGETS[seed] if seed in right else source,
            "caption_reencoded": TARGETS[seed]
            if seed in (right if again is None else again)
            else source,
            "p_source": 0.1,
            "p_target": 0.9 if seed in right else 0.0,
        }
        for seed, source in enumerate(SOURCES)
    ]
    return pd.DataFrame(rows)


def scored(**tables: pd.DataFrame) -> dict:
    return {name: score_readings(table, CONCEPTS, cosines) for name, table in tables.items()}


def test_captions_are_scored_against_the_swapped_word() -> None:
    made = compare(scored(full=readings(range(8)), phi_1=readings([], again=range(8)))).set_index(
        "variant"
    )
    perfect = made.loc[FULL]
    assert (perfect["phi_cos"], perfect["phi_bleu_4"], perfect["probes_hit"]) == pytest.approx(
        (1, 100, 1)
    )
    assert made.loc["phi_1", "phi_cos"] < 1 == made.loc["phi_1", "reencoded_cos"]
    assert (made.loc["phi_1", "probes_hit"], made.loc["phi_1", "clips"]) == (0, 8)


def test_differences_are_to_the_whole_method_and_paired() -> None:
    both = scored(full=readings(range(4)), mean=readings(range(2)))
    made = compare(both).set_index("variant")
    assert made.loc[FULL, "phi_cos_difference"] == made.loc[FULL, "phi_cos_difference_high"] == 0
    assert made.loc["mean", "probes_hit_difference"] == pytest.approx(-0.25)
    gap = difference(both["mean"], both[FULL], "probes", "hit")
    assert (gap.low, gap.high) == (
        made.loc["mean", "probes_hit_difference_low"],
        made.loc["mean", "probes_hit_difference_high"],
    )


def test_only_shared_clips_are_compared_whatever_their_order() -> None:
    part = readings(range(4)).iloc[[5, 0]].reset_index(drop=True)
    both = scored(full=readings(range(4)), p_50=part)
    for score in ("cos", "bleu_2"):
        gap = difference(both["p_50"], both[FULL], "phi", score)
        assert gap.low == gap.high == 0, score
    elsewhere = scored(full=readings(range(4)), p_50=part.assign(seed=99))
    assert difference(elsewhere["p_50"], elsewhere[FULL], "phi", "cos") is None


@pytest.mark.parametrize(
    ("gap", "strict", "expected"),
    [
        (Interval(0.2, 0.1, 0.3), True, HOLDS),
        (Interval(-0.2, -0.3, -0.1), False, FAILS),
        (Interval(0.1, -0.1, 0.3), False, OPEN),
        (Interval(0.0, 0.0, 0.0), False, EQUAL),
        (Interval(0.0, 0.0, 0.0), True, FAILS),
        (Interval(0.1, 0.0, 0.2), True, OPEN),
    ],
)
def test_verdicts(gap: Interval, strict: bool, expected: str) -> None:
    assert verdict(gap, strict) == expected


def test_an_order_holds_only_as_a_whole() -> None:
    found = orders(
        scored(
            full=readings(range(8)), js=readings([]), kl=readings([0]), sliced_gromov=readings([])
        )
    )
    steps = found[(found["reading"] == "probes") & (found["order"] == "Hellinger ≥ JS ≥ KL")]
    assert list(zip(steps["better"], steps["worse"], steps["verdict"], strict=True)) == [
        (FULL, "js", HOLDS),
        ("js", "kl", OPEN),
    ]
    words = orders_in_words(found, "probes", "hit")
    assert (
        words == "holds: ρ-OT > sliced Gromov-Wasserstein; equal: none; fails: none; not settled:"
        " Hellinger ≥ JS ≥ KL"
    )
    assert "fails: ρ-OT > sliced" in orders_in_words(
        orders(scored(full=readings([]), sliced_gromov=readings(range(8)))), "phi", "cos"
    )


def test_a_setting_that_changes_nothing_is_no_order_that_holds() -> None:
    alike = {name: readings(range(8)) for name in ("p_400", "p_200", "full", "p_50")}
    words = orders_in_words(orders(scored(**alike)), "probes", "hit")
    assert words.startswith("holds: none; equal: P = 400 ≥ 200 ≥ 100 ≥ 50; fails: none")


def test_where_every_clip_hits_the_interval_is_that_of_its_captions() -> None:
    made = compare(scored(full=readings(range(8)))).iloc[0]
    assert made["probes_hit"] == made["probes_hit_high"] == 1
    assert made["probes_hit_low"] == pytest.approx(0.025 ** (1 / len(set(SOURCES))))


def test_the_plain_run_stands_in_where_no_variant_is_the_whole_method() -> None:
    both = scored(base=readings(range(8)), mean=readings([]))
    assert compare(both).set_index("variant").loc[BASE, "phi_cos_difference"] == 0
    assert set(orders(both)["order"]) == {"full ≥ mean"}


def test_rows_stand_in_the_papers_order_and_a_baseline_may_lack_scores() -> None:
    baseline = readings([0]).drop(columns=["caption_phi", "p_source", "p_target"])
    made = compare(
        scored(
            base=readings(range(8)),
            full=readings(range(8)),
            mine=readings([1]),
            phi_1=readings([]),
            baseline=baseline,
        )
    )
    assert (
        made["variant"].tolist()[:2] == [BASELINE, "phi_1"] and made["variant"].tolist()[-1] == BASE
    )
    assert made.set_index("variant").loc[BASELINE, ["phi_cos", "probes_hit"]].isna().all()
    assert made.set_index("variant").loc["mine", "label"] == "mine"
    assert [column.key for column in columns(made)][:3] == ["phi_cos", "phi_bleu_1", "phi_bleu_4"]


def test_the_caption_says_what_is_not_there() -> None:
    both = scored(full=readings(range(8)), mean=readings([]))
    text = explain(compare(both), [orders_in_words(orders(both), "phi", "cos")])
    assert "clips per row: 8." in text and "holds: full ≥ mean" in text
    assert "Not there: METEOR (no Java), SPICE (its parser is not installed), the baseline." in text


def test_no_clips() -> None:
    with pytest.raises(UserError, match="expected readings of clips at phi = 1, got none"):
        score_readings(readings([]).iloc[:0], CONCEPTS, cosines)
