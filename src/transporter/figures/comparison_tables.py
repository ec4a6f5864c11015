"""The paper's main table and its table of embedding similarity: rows, columns and captions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from transporter.figures.table import Column
from transporter.metrics.comparison import verdict

OURS, REAL = "transporter", "real"
"""First parts of the names of systems that are no baselines; names are `method/target` or
`transporter/generator`.
"""
METHODS = {
    "activation_maximisation": "AM",
    "gradvit": "GradViT",
    "maco": "MACO",
    "leaps": "LEAPS",
    OURS: "TRANSPORTER",
    REAL: "real clips",
}
MAXIMISED = {"w": "w+", "w_dw": "w+ + dw"}
LABELS = ("VLM", "method", "maximises")
MAIN = (
    Column("fvd", "FVD", better=False, digits=0),
    Column("fvd_probe", "FVD (probes)", better=False, digits=0),
    Column("lpips", "LPIPS^v", better=False),
    Column("clip_score", "CLIP^v", better=True, digits=1),
    Column("aesthetic", "aes.", better=True),
    Column("delta", "Δ", better=True, digits=1),
    Column("seconds_per_step", "s/step"),
)
SIMILARITY = (
    Column("cos", "cos", better=True, digits=3),
    Column("l1", "l1", better=False, digits=1),
    Column("l2", "l2", better=False),
    Column("kl", "KL", better=False, digits=3),
)


def is_baseline(system: str) -> bool:
    return system.split("/")[0] not in (OURS, REAL)


def labelled(compared: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The comparisons of all VLMs below one another, `LABELS` in front; real clips come last and
    are a group of their own.
    """
    parts = []
    for vlm, table in compared.items():
        kinds, details = zip(*(system.split("/", 1) for system in table["system"]), strict=True)
        several = kinds.count(OURS) > 1
        names = {
            "VLM": [f"{vlm}, real" if kind == REAL else vlm for kind in kinds],
            "method": [
                METHODS[kind] + f" ({detail})" * (several and kind == OURS)
                for kind, detail in zip(kinds, details, strict=True)
            ],
            "maximises": [MAXIMISED.get(detail, "–") for detail in details],
        }
        parts.append(pd.concat([pd.DataFrame(names), table.reset_index(drop=True)], axis=1))
    return pd.concat(parts, ignore_index=True)


def present(columns: Sequence[Column], frame: pd.DataFrame) -> list[Column]:
    """The columns that the frame has numbers for."""
    return [column for column in columns if column.key in frame and frame[column.key].notna().any()]


def comparison_sentence(compared: Mapping[str, pd.DataFrame], columns: Sequence[Column]) -> str:
    """For every VLM, which numbers TRANSPORTER beats all baselines in."""
    titles = {column.key: column.title for column in columns if column.better is not None}
    said = {
        vlm: verdict(table, titles, list(filter(is_baseline, table["system"])))
        for vlm, table in compared.items()
    }
    return " ".join(f"TRANSPORTER on {vlm} is {words}." for vlm, words in said.items())


def main_caption(
    frame: pd.DataFrame, said: str, left_out: Sequence[str], warnings: Sequence[str]
) -> str:
    """Caption of the main table."""
    lines = [
        (
            f"Main table: {frame['clips'].iloc[0]} clips a row, all rows about the same target"
            " captions; TRANSPORTER at φ = 1."
        ),
        "Intervals: 95 % bootstrap over captions, differences on the same captions.",
        "Resampled clips repeat, so intervals of FVD lie high.",
        (
            "LPIPS^v: from the held-out clip whose caption is nearest. Δ: gain in CLIP^v over what"
            " the clip began as"
        ),
        (
            "(φ = 0; for baselines their noise; for real clips the one nearest to the source"
            " caption). s/step: processor seconds."
        ),
        said,
        *warnings,
        *(f"Left out: {reason}." for reason in left_out),
    ]
    return " ".join(lines)


def similarity_caption(frame: pd.DataFrame, said: str) -> str:
    """Caption of the similarity table."""
    return (
        "Mean encodings (over tokens and clips) that the VLM has of held-out real clips, against"
        f" those of {frame['clips'].iloc[0]} clips a row; l1 and l2 are sums over channels, KL"
        " compares softmax distributions in nats. Real clips: others than those compared with, the"
        f" floor. Intervals: 95 % bootstrap over captions. {said}"
    )
