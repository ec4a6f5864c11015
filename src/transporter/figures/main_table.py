"""The paper's main table: quality, alignment and speed of every method's clips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
from transporter.metrics.comparison import compare_systems, distances, means
from transporter.metrics.scoring import COLUMNS
from transporter.support.files import read_table

FRECHET = ("fvd", "fvd_probe")
HIGHER = {"lpips": False, "clip_score": True, "aesthetic": True, "delta": True}
"""Numbers of single clips, and whether higher is better."""
PROTOCOL = ("metric", "better", "protocol", "warning")
MAIN = (
    Column("fvd", "FVD", better=False, digits=0),
    Column("fvd_probe", "FVD (probes)", better=False, digits=0),
    Column("lpips", "LPIPS^v", better=False),
    Column("clip_score", "CLIP^v", better=True, digits=1),
    Column("aesthetic", "aes.", better=True),
    Column("delta", "Δ", better=True, digits=1),
    Column("seconds_per_step", "s/step"),
)


def draw(inputs: Mapping[str, Any], settings: Mapping[str, Any]) -> PaperTable:
    """The table from `clips`, `vectors` and `protocol`, one file of each VLM.

    Settings: `vlms`, `ours`, the system that the others are compared with, and `seed`.
    """
    files = zip(settings["vlms"], inputs["clips"], inputs["vectors"], strict=True)
    compared = {vlm: _compared(*scores, settings) for vlm, *scores in files}
    frame = comparison_rows(compared)
    columns = present(MAIN, frame)
    protocol = _protocol(settings["vlms"], inputs["protocol"])
    left_out = protocol.loc[protocol["better"] == "", "protocol"].unique().tolist()
    warnings = [warning for warning in protocol["warning"].unique() if warning]
    sentence = comparison_sentence(compared, columns)
    caption = main_caption(frame, sentence, left_out, warnings)
    return PaperTable(frame, LABELS, columns, caption, group="VLM", extra={"protocol": protocol})


def _compared(clips: str, vectors: str, settings: Mapping[str, Any]) -> pd.DataFrame:
    """All systems about one VLM, with the processor seconds of a step."""
    table = read_table(clips, COLUMNS)
    numbers = [*distances(load_file(vectors), FRECHET), *means(table, HIGHER)]
    compared = compare_systems(table, numbers, settings["ours"], settings["seed"])
    seconds = pd.to_numeric(table["seconds_per_step"], errors="coerce")
    by_system = seconds.groupby(table["system"]).mean()
    return compared.assign(seconds_per_step=compared["system"].map(by_system))


def _protocol(vlms: Sequence[str], paths: Sequence[str]) -> pd.DataFrame:
    """How every number was measured, of all VLMs below one another."""
    files = zip(vlms, paths, strict=True)
    tables = [read_table(path, PROTOCOL).assign(vlm=vlm) for vlm, path in files]
    return pd.concat(tables, ignore_index=True)


def main_caption(
    frame: pd.DataFrame, sentence: str, left_out: Sequence[str], warnings: Sequence[str]
) -> str:
    """Caption of the main table; `sentence` is that of the comparison."""
    lines = [
        (
            f"Main table: {frame['clips'].iloc[0]} clips a row, all rows about the same target"
            " captions; TRANSPORTER at φ = 1."
        ),
        "Intervals: 95 % bootstrap over captions, differences on the same captions.",
        "Intervals of FVD are centred, since resampled clips repeat.",
        (
            "LPIPS^v: from the held-out clip whose caption is nearest. Δ: gain in CLIP^v over what"
            " the clip began as"
        ),
        (
            "(φ = 0; for baselines their noise; for real clips the one nearest to the source"
            " caption). s/step: processor seconds."
        ),
        sentence,
        *warnings,
        *(f"Left out: {reason}." for reason in left_out),
    ]
    return " ".join(lines)
