"""The clips of every method, and of real ones, as one table that can be scored: the same concepts,
seeds and captions for all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from transporter.baselines import inverted_clips as inversions
from transporter.baselines.inverted_clips import nearest
from transporter.clips.contrast import Concept
from transporter.generation.sweeps import INDEX
from transporter.metrics.base import Metric
from transporter.metrics.frechet import ENOUGH_CLIPS, FrechetVideoDistance
from transporter.metrics.scoring import COLUMNS
from transporter.support.errors import Unavailable
from transporter.support.files import read_table


@dataclass(frozen=True)
class RealClips:
    """A split: the files of its clips and their captions."""

    files: list[str]
    captions: list[str]

    @classmethod
    def read(cls, table: str, folder: str) -> RealClips:
        rows = read_table(table, ("clip", "caption"), text=("clip",))
        return cls([f"{folder}/{clip}" for clip in rows["clip"]], rows["caption"].tolist())

    def nearest(self, caption: str) -> str:
        """The file of the clip whose caption shares most words with `caption`."""
        return self.files[nearest(caption, self.captions)]


def inverted(folder: str, system: str, concept: Concept) -> pd.DataFrame:
    """The clips of one concept by one baseline."""
    index = read_table(Path(folder) / "index.tsv", inversions.INDEX)
    files = {kind: [f"{folder}/{name}" for name in index[kind]] for kind in ("clip", "origin")}
    return index.assign(system=system, concept=concept.name, **files)


def generated(folder: str, system: str, concept: Concept) -> pd.DataFrame:
    """TRANSPORTER's clips of one concept at phi = 1; they began from those at phi = 0."""
    index = read_table(Path(folder) / "index.tsv", INDEX)
    index = index[index["method"] == "transporter"]
    ends = [index[index["phi"] == phi].set_index("seed") for phi in (0, 1)]
    rows = [
        {
            "system": system,
            "concept": concept.name,
            "seed": seed,
            "caption": row["caption"],
            "target_caption": concept.swap(row["caption"]),
            "clip": f"{folder}/{row['clip']}",
            "origin": f"{folder}/{ends[0].loc[seed, 'clip']}",
            "seconds_per_step": float("nan"),
        }
        for seed, row in ends[1].iterrows()
    ]
    return pd.DataFrame(rows)


def all_systems(parts: Iterable[pd.DataFrame], real: RealClips, others: RealClips) -> pd.DataFrame:
    """The clips that all systems have (columns of `scoring.COLUMNS`), and clips of `others` as
    `real/clips`.

    `reference` is the clip of `real` nearest to the target caption.
    """
    table = pd.concat(parts, ignore_index=True)
    common = set.intersection(
        *(
            set(zip(part["concept"], part["seed"], strict=True))
            for _, part in table.groupby("system")
        )
    )
    table = table[[pair in common for pair in zip(table["concept"], table["seed"], strict=True)]]
    first = table[table["system"] == table["system"].iloc[0]]
    shown = {
        "clip": first["target_caption"].map(others.nearest),
        "origin": first["caption"].map(others.nearest),
    }
    table = pd.concat(
        [table, first.assign(system="real/clips", seconds_per_step=float("nan"), **shown)],
        ignore_index=True,
    )
    return table.assign(reference=table["target_caption"].map(real.nearest))[list(COLUMNS)]


def protocols(
    metrics: Mapping[str, Metric], real: int, clips: int, left_out: Mapping[str, str]
) -> pd.DataFrame:
    """What each number depends on, for `real` real clips and `clips` of each system: `metric`,
    `better`, `protocol`, `warning`.

    A metric that is left out has a row without `better`, its protocol the reason.
    """
    rows: list[dict[str, Any]] = []
    for metric in metrics.values():
        protocol = dict(metric.protocol())
        protocol |= {
            key: f"{real} real + {clips} generated" if "real" in str(protocol[key]) else clips
            for key in ("clips", "pairs")
            if key in protocol
        }
        told = ", ".join(f"{key} {value}" for key, value in protocol.items())
        few = isinstance(metric, FrechetVideoDistance) and min(real, clips) < ENOUGH_CLIPS
        warning = (
            f"FVD of {real} real and {clips} generated clips: below {ENOUGH_CLIPS} it is inflated."
            if few
            else ""
        )
        rows += [
            {"metric": name, "better": better, "protocol": told, "warning": warning}
            for name, better in metric.numbers.items()
        ]
    rows += [
        {"metric": name, "better": "", "protocol": reason, "warning": ""}
        for name, reason in left_out.items()
    ]
    return pd.DataFrame(rows, columns=["metric", "better", "protocol", "warning"])


def make_all(makers: Mapping[str, Any]) -> tuple[dict[str, Metric], dict[str, str]]:
    """The metrics that can be made, and of each other one why not."""
    made: dict[str, Metric] = {}
    left_out: dict[str, str] = {}
    for name, maker in makers.items():
        try:
            made[name] = maker()
        except Unavailable as reason:
            left_out[name] = str(reason)
            print(f"{name} is left out: {reason}", flush=True)
    return made, left_out
