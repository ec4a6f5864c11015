"""The paper's table of embedding similarity: does the VLM encode clips as it encodes real ones?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from safetensors.torch import load_file

from transporter.figures.comparison_tables import (
    LABELS,
    comparison_rows,
    comparison_sentence,
    present,
)
from transporter.figures.table import Column, PaperTable
from transporter.metrics.comparison import compare_systems, similarities
from transporter.metrics.scoring import COLUMNS
from transporter.support.files import read_table

SIMILARITY = (
    Column("cos", "cos", better=True, digits=3),
    Column("l1", "l1", better=False, digits=1),
    Column("l2", "l2", better=False),
    Column("kl", "KL", better=False, digits=3),
)


def draw(inputs: Mapping[str, Any], settings: Mapping[str, Any]) -> PaperTable:
    """The table from `clips` and `vectors`, one file of each VLM.

    Settings: `vlms`, `ours`, the system that the others are compared with, and `seed`.
    """
    compared = {}
    for vlm, clips, vectors in zip(
        settings["vlms"], inputs["clips"], inputs["vectors"], strict=True
    ):
        numbers = similarities(load_file(vectors))
        table = read_table(clips, COLUMNS)
        compared[vlm] = compare_systems(table, numbers, settings["ours"], settings["seed"])
    frame = comparison_rows(compared)
    columns = present(SIMILARITY, frame)
    caption = similarity_caption(frame, comparison_sentence(compared, columns))
    return PaperTable(frame, LABELS, columns, caption, group="VLM")


def similarity_caption(frame: pd.DataFrame, sentence: str) -> str:
    """Caption of the similarity table; `sentence` is that of the comparison."""
    return (
        "Mean encodings (over tokens and clips) that the VLM has of held-out real clips, against"
        f" those of {frame['clips'].iloc[0]} clips a row; l1 and l2 are sums over channels, KL"
        " compares softmax distributions in nats. Real clips: others than those compared with, the"
        f" floor. Intervals: 95 % bootstrap over captions. {sentence}"
    )
