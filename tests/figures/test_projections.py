"""The figure over the number of projections shows the ablation table's numbers in order of P."""

from __future__ import annotations

import pandas as pd
import pytest

from transporter.figures.projections import projections_figure
from transporter.support.errors import UserError

TABLE = pd.DataFrame(
    {
        "variant": ["p_400", "kl", "full", "p_50"],
        "phi_cos": [0.4, 0.9, 0.3, 0.2],
        "phi_cos_low": [0.3, 0.8, 0.2, 0.1],
        "phi_cos_high": [0.6, 1.0, 0.5, 0.4],
    }
)
PROJECTIONS = {"full": 100, "p_50": 50, "p_400": 400}


def test_values_intervals_and_ticks() -> None:
    _, panel = projections_figure(TABLE, PROJECTIONS).axes
    [bars] = panel.containers
    assert bars.lines[0].get_ydata() == pytest.approx([0.2, 0.3, 0.4])
    ends = [segment[:, 1].tolist() for segment in bars.lines[2][0].get_segments()]
    assert ends == [pytest.approx(end) for end in ([0.1, 0.4], [0.2, 0.5], [0.3, 0.6])]
    assert [label.get_text() for label in panel.get_xticklabels()] == ["50", "100", "400"]


def test_too_little_to_draw() -> None:
    with pytest.raises(UserError, match="expected two of the variants full, p_50, p_400"):
        projections_figure(TABLE[1:3], PROJECTIONS)
