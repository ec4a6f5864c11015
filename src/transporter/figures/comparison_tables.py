"""What the paper's main table and its table of embedding similarity have in common: their rows, and
which columns there are numbers for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import pandas as pd

from transporter.figures.table import Column
from transporter.figures.theme import METHODS
from transporter.metrics.comparison import verdict

OURS, REAL = "transporter", "real"
CONTROLS = tuple(method for method in METHODS if method != OURS)
"""First parts of the names of systems that invert no VLM: names are `method/generator`, those of
baselines `method/target`.
"""
TITLES = {
    "activation_maximisation": "AM",
    "gradvit": "GradViT",
    "maco": "MACO",
    "leaps": "LEAPS",
    OURS: "TRANSPORTER",
    **{method: METHODS[method][0] for method in CONTROLS},
    REAL: "real clips",
}
MAXIMISED = {"w": "w+", "w_dw": "w+ + dw"}
LABELS = ("VLM", "method", "maximises")


def is_baseline(system: str) -> bool:
    return system.split("/")[0] not in (OURS, *CONTROLS, REAL)


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
    """The `LABELS` of a system `kind/detail`; those of TRANSPORTER and its controls name their
    generator where there are `several`.
    """
    method = TITLES[kind] + (f" ({detail})" if several and kind in METHODS else "")
    return f"{vlm}, real" if kind == REAL else vlm, method, MAXIMISED.get(detail, "–")


def present(columns: Sequence[Column], frame: pd.DataFrame) -> list[Column]:
    """The columns that the frame has numbers for."""
    return [column for column in columns if column.key in frame and frame[column.key].notna().any()]


def comparison_sentence(comparisons: Mapping[str, pd.DataFrame], columns: Sequence[Column]) -> str:
    """For every VLM, which numbers TRANSPORTER beats all baselines in, and which the swapped word
    and other controls.
    """
    titles = {column.key: column.title for column in columns if column.better is not None}
    sentences = []
    for vlm, table in comparisons.items():
        words = verdict(table, titles, list(filter(is_baseline, table["system"])))
        sentences.append(f"TRANSPORTER on {vlm} is {words}.")
        sentences += _beside_controls(table, titles)
    return " ".join(sentences)


def _beside_controls(table: pd.DataFrame, titles: Mapping[str, str]) -> Iterator[str]:
    """A sentence for each control of the first generator: by which numbers TRANSPORTER is better
    or worse than it.
    """
    generator = next(name for name in table["system"] if name.startswith(OURS)).partition("/")[2]
    names = {f"{kind}/{generator}": TITLES[kind] for kind in CONTROLS}
    for row in table[table["system"].isin(names)].to_dict("records"):
        known = {title: key for key, title in titles.items() if f"{key}_gain_low" in row}
        better = [title for title, key in known.items() if row[f"{key}_gain_low"] > 0]
        worse = [title for title, key in known.items() if row[f"{key}_gain_high"] < 0]
        parts = {"better": better, "worse": worse}
        told = ", ".join(f"{word} in {', '.join(some)}" for word, some in parts.items() if some)
        yield f"Beside its {names[row['system']]}: {told or 'not told apart in any number'}."
