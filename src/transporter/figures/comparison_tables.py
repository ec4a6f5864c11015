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


def comparison_rows(comparisons: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The comparisons of all VLMs below one another, `LABELS` in front; real clips come last and
    are a group of their own.
    """
    parts = []
    for vlm, table in comparisons.items():
        systems = [system.split("/", 1) for system in table["system"]]
        several = sum(kind == OURS for kind, _ in systems) > 1
        names = [_names(vlm, kind, detail, several) for kind, detail in systems]
        labels = pd.DataFrame(names, columns=LABELS)
        parts.append(pd.concat([labels, table.reset_index(drop=True)], axis=1))
    return pd.concat(parts, ignore_index=True)


def _names(vlm: str, kind: str, detail: str, several: bool) -> tuple[str, str, str]:
    """The `LABELS` of a system `kind/detail`; TRANSPORTER's name its generator where there are
    `several`.
    """
    method = METHODS[kind] + (f" ({detail})" if several and kind == OURS else "")
    return f"{vlm}, real" if kind == REAL else vlm, method, MAXIMISED.get(detail, "–")


def present(columns: Sequence[Column], frame: pd.DataFrame) -> list[Column]:
    """The columns that the frame has numbers for."""
    return [column for column in columns if column.key in frame and frame[column.key].notna().any()]


def comparison_sentence(comparisons: Mapping[str, pd.DataFrame], columns: Sequence[Column]) -> str:
    """For every VLM, which numbers TRANSPORTER beats all baselines in."""
    titles = {column.key: column.title for column in columns if column.better is not None}
    verdicts = {
        vlm: verdict(table, titles, list(filter(is_baseline, table["system"])))
        for vlm, table in comparisons.items()
    }
    return " ".join(f"TRANSPORTER on {vlm} is {words}." for vlm, words in verdicts.items())
