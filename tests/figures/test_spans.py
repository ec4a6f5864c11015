"""The figure of spans: their names, the frames that they hold, and pictures beside the log-odds of
their own span.
"""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest
import torch

from transporter.clips.contrast import Concept
from transporter.figures.spans import Placement, Span, Style, leading, spans_figure
from transporter.figures.theme import PAGE
from transporter.support.errors import UserError

NONE, ALL, EARLY, LATE = Span(0, 0, 5), Span(1, 5, 5), Span(1, 3, 5), Span(4, 5, 5)
STEPS = Style("steps", "", {"object": 1, "scene": 1, "action": 3}, across=3)


def placement(kind: str, spans: tuple[Span, ...] = (NONE, ALL, EARLY, LATE)) -> Placement:
    videos = {span: torch.full((17, 3, 8, 8), number / 4) for number, span in enumerate(spans)}
    rows = [(seed, span, number + seed) for number, span in enumerate(spans) for seed in (-1, 0, 1)]
    concept = Concept("a_b", kind, "a", "b", "which ?")
    readings = pd.DataFrame(rows, columns=["seed", "span", "log_odds"])
    swapped = readings[readings["span"] != NONE]
    swapped = swapped.assign(log_odds=swapped["log_odds"] + 0.5)
    return Placement(concept, "it is a", videos, readings, swapped)


def test_spans_say_what_they_are() -> None:
    assert list(map(str, (NONE, ALL, EARLY, Span(5, 5, 5)))) == ["none", "all 5", "1 to 3", "5"]


def test_frames_belong_to_latent_frames_in_fours_after_the_first() -> None:
    assert [frame for frame in range(17) if EARLY.holds(frame, 17)] == list(range(9))
    assert [frame for frame in range(17) if LATE.holds(frame, 17)] == list(range(9, 17))
    assert not any(NONE.holds(frame, 17) for frame in range(17))
    assert all(ALL.holds(frame, 17) for frame in range(17))


def test_stills_and_log_odds_of_a_span_stand_side_by_side() -> None:
    figure = spans_figure([placement("object"), placement("action")], STEPS)
    page, *plots = figure.axes
    assert len(page.get_images()) == 4 * (1 + 3) and len(plots) == 2
    assert max(image.get_extent()[1] for image in page.get_images()) < PAGE
    rows = sorted({image.get_extent()[3] for image in page.get_images()})
    assert [float(image.get_array().mean()) for image in page.get_images()[:4]] == pytest.approx(
        [0, 0.25, 0.5, 0.75]
    )
    high = figure.get_size_inches()[1]
    means = [bar.lines[0].get_xydata()[0] for bar in plots[0].containers]
    assert [x for x, _ in means] == pytest.approx([0, 1, 2, 3])
    squares = [float(line.get_xdata()[0]) for line in plots[0].lines if line.get_marker() == "s"]
    assert squares == pytest.approx([1.5, 2.5, 3.5])
    top = high * (1 - plots[0].get_position().y1)
    tall = page.get_images()[0].get_extent()[2] - rows[0]
    assert all(row < top + y < row + tall for row, (_, y) in zip(rows, means, strict=True))


def test_bars_mark_the_stills_that_a_concept_acts_in() -> None:
    bars = []
    for marks in (False, True):
        style = Style("latent frames", "", {"scene": 5}, across=2, marks=marks)
        bars.append(len(spans_figure([placement("scene")], style).axes[0].patches))
    without, with_marks = bars
    # 5 + 3 + 2 of the stills at latent frames 1 to 5
    assert with_marks - without == 10


def test_the_caption_names_the_part_that_moves_the_answer_furthest() -> None:
    assert leading([placement("scene"), placement("scene", (NONE, ALL, LATE, EARLY))]) == (
        " Highest mean of one part: b 4 to 5 (3 [2, 4]); b 1 to 3 (3 [2, 4])."
    )
    assert leading([placement("scene", (NONE, ALL))]) == ""


def test_concepts_that_do_not_fit_go_to_the_next_line() -> None:
    one, two = (
        spans_figure([placement("scene")] * 3, replace(STEPS, across=across)) for across in (3, 2)
    )
    assert two.get_size_inches()[1] == pytest.approx(2 * one.get_size_inches()[1])
    assert len({round(plot.get_position().y0, 3) for plot in two.axes[1:]}) == 2


def test_concepts_have_the_same_spans() -> None:
    with pytest.raises(UserError, match="same spans, got 2 concepts"):
        spans_figure([placement("object"), placement("object", (NONE, ALL))], STEPS)
    with pytest.raises(UserError, match="got 0 concepts"):
        spans_figure([], STEPS)
