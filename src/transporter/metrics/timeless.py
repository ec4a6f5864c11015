"""Which answers should need time and do not, by a table that says so; read by the page, whose job
needs no models and no statistics.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

TIMING = ("vlm", "attribute", "of_time", "depends")
"""Columns of a table of VLMs and attributes, before those of `temporal_honesty`. `of_time`: `yes`
where no single frame shows the attribute; `depends`: `no` where the answers depend on no time.
"""


def timeless_words(
    table: pd.DataFrame, vocabulary: Mapping[str, Sequence[str]]
) -> set[tuple[str, str]]:
    """VLM and word of each answer that should need time and does not.

    Args:
        table: with the columns `TIMING`.
        vocabulary: attribute to its words.
    """
    blind = table[(table["of_time"] == "yes") & (table["depends"] == "no")]
    return {(row.vlm, word) for row in blind.itertuples() for word in vocabulary[row.attribute]}
