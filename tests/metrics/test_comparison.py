"""Methods compared on the same captions: numbers, intervals, and who beats whom."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from transporter.metrics.comparison import compare_systems, distances, means, similarities, verdict
from transporter.metrics.embeddings import compare
from transporter.metrics.frechet import frechet_distance
from transporter.support.errors import UserError

CONCEPTS = [f"c{index:02d}" for index in range(12)]


def table(**scores: list[float]) -> pd.DataFrame:
    """One clip per concept of every system, with a number."""
    parts = [
        pd.DataFrame(
            {
                "system": system,
                "concept": CONCEPTS,
                "seed": 0,
                "target_caption": CONCEPTS,
                "number": values,
            }
        )
        for system, values in scores.items()
    ]
    return pd.concat(parts, ignore_index=True)


@pytest.fixture
def spread() -> np.ndarray:
    return np.random.default_rng(0).normal(size=12) * 10


def row(compared: pd.DataFrame, system: str) -> pd.Series:
    return compared.set_index("system").loc[system]


def test_a_constant_gain_is_seen_through_any_spread(spread: np.ndarray) -> None:
    """Intervals of both overlap; the difference on the same captions does not waver."""
    scores = table(ours=(spread + 1).tolist(), theirs=spread.tolist())
    compared = compare_systems(scores, means(scores, {"number": True}), "ours")
    assert row(compared, "ours")["number"] == pytest.approx(spread.mean() + 1)
    theirs = row(compared, "theirs")
    assert theirs[["number_gain", "number_gain_low", "number_gain_high"]].tolist() == pytest.approx(
        [1, 1, 1]
    )
    assert theirs["number_beaten"] and theirs["number_high"] > row(compared, "ours")["number_low"]


def test_lower_is_better_turns_the_gain_round(spread: np.ndarray) -> None:
    scores = table(ours=(spread + 1).tolist(), theirs=spread.tolist())
    theirs = row(compare_systems(scores, means(scores, {"number": False}), "ours"), "theirs")
    assert theirs["number_gain"] == pytest.approx(-1) and not theirs["number_beaten"]


def test_noise_is_no_victory() -> None:
    values = np.random.default_rng(1).normal(size=(2, 12))
    scores = table(ours=values[0].tolist(), theirs=values[1].tolist())
    theirs = row(compare_systems(scores, means(scores, {"number": True}), "ours"), "theirs")
    assert (
        theirs["number_gain_low"] < 0 < theirs["number_gain_high"] and not theirs["number_beaten"]
    )


def test_the_order_of_clips_does_not_matter(spread: np.ndarray) -> None:
    scores = table(ours=(2 * spread).tolist(), theirs=spread.tolist())
    mixed = pd.concat([scores[:12], scores[12:][::-1]], ignore_index=True)
    first, second = (
        compare_systems(some, means(some, {"number": True}), "ours") for some in (scores, mixed)
    )
    pd.testing.assert_frame_equal(first, second)


def test_other_concepts_cannot_be_compared(spread: np.ndarray) -> None:
    scores = table(ours=spread.tolist(), theirs=spread.tolist())
    with pytest.raises(UserError, match="got others of theirs than of ours"):
        compare_systems(scores[:-1], means(scores[:-1], {"number": True}), "ours")
    with pytest.raises(UserError, match="expected clips of nobody, got those of ours, theirs"):
        compare_systems(scores, [], "nobody")


def test_numbers_of_sets_are_the_metrics_own() -> None:
    draw = torch.Generator().manual_seed(0)
    real, generated = torch.randn(20, 4, generator=draw), torch.randn(24, 4, generator=draw) + 1
    vectors = {
        "fvd/real": real,
        "fvd/generated": generated,
        "embeddings/real": real,
        "embeddings/generated": generated,
    }
    rows = np.arange(12, 24)
    [distance] = distances(vectors, ("fvd", "fvd_probe"))
    assert not distance.higher and distance.of(rows) == pytest.approx(
        float(frechet_distance(real, generated[12:]))
    )
    expected = compare(real.mean(0), generated[12:].mean(0))
    assert {number.key: number.of(rows) for number in similarities(vectors)} == pytest.approx(
        expected
    )
    assert [number.key for number in similarities(vectors) if number.higher] == ["cos"]


def test_intervals_of_a_distance_hold_what_as_many_other_clips_give() -> None:
    """Resampled clips repeat, which only adds to a distance: plain percentiles hold the mean of
    other draws of 24 clips in 0.78 of such trials.
    """
    draw, held = torch.Generator().manual_seed(0), []
    real = torch.randn(192, 6, generator=draw)

    def clips() -> torch.Tensor:
        return torch.randn(24, 6, generator=draw) * 1.2 + 0.4

    others = [float(frechet_distance(real, clips())) for _ in range(400)]
    names = [f"{index:02d}" for index in range(24)]
    scores = pd.DataFrame({"concept": names, "target_caption": names, "seed": 0, "system": "ours"})
    for _ in range(60):
        numbers = distances({"fvd/real": real, "fvd/generated": clips()}, ("fvd",))
        found = compare_systems(scores, numbers, "ours", draws=100).iloc[0]
        assert found["fvd_low"] < found["fvd"] < found["fvd_high"]
        held.append(found["fvd_low"] <= np.mean(others) <= found["fvd_high"])
    assert np.mean(held) > 0.89  # 0.95 less two standard errors


def test_no_interval_leaves_its_numbers_range() -> None:
    draw = torch.Generator().manual_seed(0)
    clips = torch.randn(12, 3, generator=draw) + 0.5
    vectors = {"embeddings/real": clips, "embeddings/generated": clips}
    scores = table(ours=[0.0] * 12)
    found = compare_systems(scores, similarities(vectors), "ours").iloc[0]
    assert (found["cos"], found["cos_high"]) == pytest.approx((1, 1))
    for name in ("l1", "l2", "kl"):
        assert found[f"{name}_low"] == 0 < found[f"{name}_high"]


def test_verdict_names_what_is_won_and_what_is_not() -> None:
    compared = pd.DataFrame(
        {
            "system": ["ours", "a", "b"],
            "x_beaten": [None, True, True],
            "y_beaten": [None, True, False],
        }
    )
    assert (
        verdict(compared, {"x": "X", "y": "Y", "z": "Z"}, ["a", "b"])
        == "better than every baseline, the interval of the difference above 0, in X; not shown to"
        " beat all in Y (1 of 2 not)"
    )
