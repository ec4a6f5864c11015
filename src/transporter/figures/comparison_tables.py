"""What the paper's main table and its table of embedding similarity have in common: their rows, and
which columns there are numbers for.
"""

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
    verdicts = {
        vlm: verdict(table, titles, list(filter(is_baseline, table["system"])))
        for vlm, table in compared.items()
    }
    return " ".join(f"TRANSPORTER on {vlm} is {words}." for vlm, words in verdicts.items())
