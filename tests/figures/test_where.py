"""The figure of what and where, on a small table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from transporter.figures.where import where_figure
from transporter.support.errors import UserError


def _table(share: float) -> pd.DataFrame:
    rows = [
        {"concept": concept, "method": method, "share": value, "share_other": 0.3}
        for concept in ("red_blue", "all")
        for method, value in (("transporter", share), ("random", 0.4))
    ]
    table = pd.DataFrame(rows)
    return table.assign(share_low=table["share"] - 0.1, share_high=table["share"] + 0.1)


def test_a_table_gives_its_picture_and_another_another(tmp_path: Path) -> None:
    for name, share in (("a", 0.6), ("b", 0.6), ("c", 0.8)):
        where_figure(_table(share), 0.2, [tmp_path / f"{name}.png"])
    first, again, other = ((tmp_path / f"{name}.png").read_bytes() for name in "abc")
    pictures = [np.asarray(Image.open(tmp_path / f"{name}.png"), dtype=int) for name in "ac"]
    assert first == again != other and (pictures[0] != pictures[1]).any()


def test_no_concept_is_no_picture(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="expected at least one concept"):
        where_figure(_table(0.5).iloc[:0], 0.2, [tmp_path / "a.png"])
