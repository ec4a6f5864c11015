"""The figure of several concepts: each alone, all together, and the curve of every one in every
row.
"""

from __future__ import annotations

import pandas as pd
import pytest
import torch

from transporter.clips.contrast import Concept
from transporter.figures.several import Composition, joint_seed, several_figure
from transporter.figures.theme import PAGE
from transporter.support.errors import UserError

CONCEPTS = [
    Concept("red_blue", "object", "red", "blue", "what ?"),
    Concept("day_night", "scene", "day", "night", "when ?"),
]
STRENGTHS = [(0.0, 0.0), (0.5, 0.0), (1.0, 0.0), (0.0, 0.5), (0.0, 1.0), (0.5, 0.5), (1.0, 1.0)]
READINGS = pd.DataFrame(
    [
        (seed, strengths, concept.name, 8 * strengths[number] - 4 + seed * (1 - 3 * number))
        for seed in (-1, 0, 1)
        for strengths in STRENGTHS
        for number, concept in enumerate(CONCEPTS)
    ],
    columns=["seed", "strengths", "concept", "log_odds"],
)
VIDEOS = {
    strengths: torch.full((5, 3, 8, 8), (strengths[0] + 2 * strengths[1]) / 3)
    for strengths in STRENGTHS
}
SWAPPED = READINGS[READINGS["strengths"] != STRENGTHS[0]]
SWAPPED = SWAPPED.assign(log_odds=SWAPPED["log_odds"] + 1)
COMPOSITION = Composition(CONCEPTS, "a red dot by day", VIDEOS, READINGS, SWAPPED)


def test_each_alone_and_then_both() -> None:
    page, *plots = several_figure([COMPOSITION, COMPOSITION]).axes
    means = [float(picture.get_array().mean()) * 3 for picture in page.get_images()]
    assert means == pytest.approx([0, 0.5, 1, 0, 1, 2, 0, 1.5, 3] * 2)
    assert max(picture.get_extent()[1] for picture in page.get_images()) < PAGE and len(plots) == 6
    words = [text.get_text() for text in page.texts]
    assert words.count("+ night") == 2 and "φ = 0.5" in words and "a red dot by day" in words


def test_a_row_without_a_concept_leaves_its_log_odds() -> None:
    _, colour, time, both = several_figure([COMPOSITION]).axes
    for axes, curves in (
        (colour, [(-4, 0, 4), (-4, -4, -4)]),
        (time, [(-4, -4, -4), (-4, 0, 4)]),
        (both, [(-4, 0, 4)] * 2),
    ):
        solid, dashed = axes.lines[1::2], axes.lines[2::2]
        assert [line.get_ydata() for line in solid] == [pytest.approx(curve) for curve in curves]
        words = [(first, *(value + 1 for value in rest)) for first, *rest in curves]
        assert [line.get_ydata() for line in dashed] == [pytest.approx(curve) for curve in words]


def test_the_seed_shown_is_the_median_of_all_concepts_together() -> None:
    assert joint_seed(READINGS) == 0
    assert joint_seed(READINGS[READINGS["seed"] != 0]) == 1


def test_nothing_to_draw() -> None:
    with pytest.raises(UserError, match="at least one composition"):
        several_figure([])
