"""The table of vectors that act in some places, on rows whose means are known."""

from __future__ import annotations

import pandas as pd
import pytest

from transporter.metrics.restriction import ALL, EVERYWHERE, MAP, restriction_table


def test_places_are_compared_on_the_same_captions() -> None:
    rows = []
    for concept, gain in (("a", 0.5), ("b", 0.1)):
        for seed in range(4):
            about = {"concept": concept, "seed": seed, "flipped": 1, "tokens": 1.0}
            rows.append({**about, "where": EVERYWHERE, "hit": 1, "kept": 0.4, "outside": 0.2})
            shares = {"hit": seed % 2, "kept": 0.4 + gain, "outside": 0.1, "tokens": 0.25}
            rows.append({**about, "where": MAP, **shares})
    # of one pair of clips the captions name no other attribute, as a table from a file has it
    table = pd.DataFrame(rows)
    table["kept"] = table["kept"].astype(object)
    table.loc[(table["concept"] == "a") & (table["seed"] == 3), "kept"] = ""
    found = restriction_table([table]).set_index(["concept", "where"])
    assert found.loc[("a", MAP), "clips"] == 3 and found.loc[("b", MAP), "clips"] == 4
    assert found.loc[("a", MAP), "kept_more"] == pytest.approx(0.5)
    # one of no clip that fails is no certainty: exact, of four clips
    assert found.loc[("b", MAP), "flipped_high"] == 1
    assert found.loc[("b", MAP), "flipped_low"] == pytest.approx(0.025 ** (1 / 4))
    whole = found.loc[(ALL, MAP)]
    assert whole["clips"] == 7
    assert whole["kept_more"] == pytest.approx((3 * 0.5 + 4 * 0.1) / 7)
    assert whole["kept_more_low"] <= whole["kept_more"] <= whole["kept_more_high"]
    assert whole["hit_more"] == pytest.approx((1 + 2) / 7 - 1)
    assert whole["outside_more"] == pytest.approx(-0.1)
    assert found.loc[(ALL, EVERYWHERE), "kept_more_high"] == 0
