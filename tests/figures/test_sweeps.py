"""The figure of sweeps: which seed it shows, what its curve says, and its two files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch

from transporter.clips.contrast import Concept
from transporter.figures.exhibit import Exhibit
from transporter.figures.sweeps import Sweep, sweeps_figure, typical_seed
from transporter.support.errors import UserError

PHIS = (0.0, 0.5, 1.0)
READINGS = pd.DataFrame(
    [(seed, phi, phi, (2 * phi - 1) * seed) for seed in (1, 2, 3, 9) for phi in PHIS],
    columns=["seed", "stop", "phi", "log_odds"],
)


def row(kind: str) -> Sweep:
    videos = {
        phi: torch.rand(5, 3, 8, 8, generator=torch.Generator().manual_seed(int(phi * 2)))
        for phi in PHIS
    }
    return Sweep(Concept("a_b", kind, "a", "b", "which ?"), "it is a", videos, READINGS)


def test_the_seed_shown_is_the_median_one() -> None:
    assert typical_seed(READINGS) == 2
    assert typical_seed(READINGS[READINGS["seed"] != 1]) == 3
    with pytest.raises(UserError, match="at least one seed"):
        typical_seed(READINGS[:0])


def test_a_row_has_one_still_per_phi_and_three_where_something_moves() -> None:
    figure = sweeps_figure([row("object"), row("action")])
    page, *plots = figure.axes
    assert len(page.get_images()) == 3 + 3 * 3 and len(plots) == 2
    words = [text.get_text() for text in page.texts]
    assert words.count("a") == words.count("b") == 2 and "φ = 0.5" in words and "it is a" in words
    right = max(image.get_extent()[1] for image in page.get_images())
    assert right < plots[0].get_position().x0 * figure.get_size_inches()[0]


def test_strengths_of_its_own_stand_in_a_row_s_stills() -> None:
    """Rows whose clips turn elsewhere share no heading; the mean stands at the mean strength."""
    spaced = READINGS.assign(
        phi=READINGS["phi"] + (READINGS["phi"] == 0.5) * READINGS["seed"] / 100
    )
    videos = row("object").videos
    other = {(0.52 if phi == 0.5 else phi): video for phi, video in videos.items()}
    own = Sweep(Concept("c_d", "object", "c", "d", "which ?"), "it is c", other, spaced)
    page, first, second = sweeps_figure([row("object"), own]).axes
    words = [text.get_text() for text in page.texts]
    assert words.count("φ = 0") == 2
    assert (words.count("φ = 0.5"), words.count("φ = 0.52")) == (1, 1)
    assert first.lines[-1].get_xdata() == pytest.approx(PHIS)
    assert second.lines[-1].get_xdata() == pytest.approx([0, 0.5 + 0.15 / 4, 1])
    assert second.lines[1].get_xdata() == pytest.approx([0, 0.51, 1])


def test_the_curve_is_the_mean_of_all_seeds() -> None:
    _, plot = sweeps_figure([row("scene")]).axes
    assert plot.lines[-1].get_ydata() == pytest.approx([-3.75, 0, 3.75])


def test_controls_stand_beside_the_curve() -> None:
    """Each as its mean over the seeds, with a mark of its own."""
    lower = READINGS.assign(log_odds=READINGS["log_odds"] - 1)
    own = replace(row("scene"), controls={"prompt_interpolation": lower, "random": READINGS})
    _, plot = sweeps_figure([own]).axes
    swapped, random = plot.lines[:2]
    assert swapped.get_ydata() == pytest.approx([-4.75, -1, 2.75])
    assert random.get_xdata() == pytest.approx(PHIS)
    assert [line.get_marker() for line in (swapped, random, plot.lines[-1])] == ["s", "^", "o"]


def test_pictures_are_byte_stable(tmp_path: Path) -> None:
    for name in ("a", "b"):
        Exhibit("objects", "Sweeps.", "config 1").write(
            sweeps_figure([row("object")]), tmp_path / name
        )
    for suffix, magic in ((".png", b"\x89PNG"), (".pdf", b"%PDF")):
        made = (tmp_path / "a").with_suffix(suffix).read_bytes()
        assert made.startswith(magic) and made == (tmp_path / "b").with_suffix(suffix).read_bytes()


def test_nothing_to_draw() -> None:
    with pytest.raises(UserError, match="at least one concept"):
        sweeps_figure([])
