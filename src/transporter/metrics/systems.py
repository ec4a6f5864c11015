"""The clips of every method, and of real ones, as one table that can be scored: the same concepts,
seeds and captions for all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from transporter.baselines import inverted_clips as inversions
from transporter.baselines.inverted_clips import nearest
from transporter.clips.contrast import Concept
from transporter.generation.sweeps import INDEX
from transporter.metrics.base import Metric
from transporter.metrics.scoring import COLUMNS
from transporter.support.errors import Unavailable
from transporter.support.files import read_table


@dataclass(frozen=True)
class RealClips:
    """A split: its clips, by the labels of `clips.split.SplitClips`, and their captions."""

    files: list[str]
    captions: list[str]

    def nearest(self, caption: str) -> str:
        """The clip whose caption shares most words with `caption`."""
        return self.files[nearest(caption, self.captions)]


def inverted(folder: str, system: str, concept: Concept) -> pd.DataFrame:
    """The clips of one concept by one baseline."""
    index = read_table(Path(folder) / "index.tsv", inversions.INDEX)
    files = {kind: f"{folder}/" + index[kind] for kind in ("clip", "origin")}
    return index.assign(system=system, concept=concept.name, **files)


def generated(folder: str, generator: str, concept: Concept) -> pd.DataFrame:
    """Clips of one concept at phi = 1 by its vector and by its controls, the systems
    `<method>/<generator>`; they began from those at phi = 0.
    """
    index = read_table(Path(folder) / "index.tsv", INDEX)
    keys = ["method", "seed"]
    none, full = (index[index["phi"] == phi].set_index(keys) for phi in (0, 1))
    rows = [
        {
            "system": f"{method}/{generator}",
            "concept": concept.name,
            "seed": seed,
            "caption": row["caption"],
            "target_caption": concept.swap(row["caption"]) or row["caption"],
            "clip": f"{folder}/{row['clip']}",
            "origin": f"{folder}/{none.loc[(method, seed), 'clip']}",
            "seconds_per_step": float("nan"),
        }
        for (method, seed), row in full.iterrows()
    ]
    return pd.DataFrame(rows)


def all_systems(parts: Iterable[pd.DataFrame], real: RealClips, others: RealClips) -> pd.DataFrame:
    """The clips that all systems have (columns of `scoring.COLUMNS`), and clips of `others` as
    `real/clips`.

    `reference` is the clip of `real` nearest to the target caption.
    """
    table = _shared(pd.concat(parts, ignore_index=True))
    first = table[table["system"] == table["system"].iloc[0]]
    rows = first.assign(
        system="real/clips",
        seconds_per_step=float("nan"),
        clip=first["target_caption"].map(others.nearest),
        origin=first["caption"].map(others.nearest),
    )
    table = pd.concat([table, rows], ignore_index=True)
    return table.assign(reference=table["target_caption"].map(real.nearest))[list(COLUMNS)]


def _shared(table: pd.DataFrame) -> pd.DataFrame:
    """The rows whose concept and seed all systems have."""
    pairs = pd.Series(list(zip(table["concept"], table["seed"], strict=True)), index=table.index)
    common = set.intersection(*(set(some) for _, some in pairs.groupby(table["system"])))
    return table[pairs.isin(common)]


def protocols(
    metrics: Mapping[str, Metric], real: int, clips: int, left_out: Mapping[str, str]
) -> pd.DataFrame:
    """What each number depends on, for `real` real clips and `clips` of each system: `metric`,
    `better`, `protocol`, `warning`.

    A metric that is left out has a row without `better`, its protocol the reason.
    """
    rows = [row for metric in metrics.values() for row in _rows(metric, real, clips)]
    rows += [(name, "", reason, "") for name, reason in left_out.items()]
    return pd.DataFrame(rows, columns=["metric", "better", "protocol", "warning"])


def _rows(metric: Metric, real: int, clips: int) -> Iterator[tuple[str, str, str, str]]:
    """A row per number of one metric."""
    count = f"{real} real + {clips} generated" if "real" in metric.inputs() else clips
    facts = {metric.unit: count, **metric.protocol()}
    protocol = ", ".join(f"{key} {value}" for key, value in facts.items())
    for name, better in metric.numbers.items():
        yield name, better, protocol, metric.warning(real, clips)


def make_all(
    makers: Mapping[str, Callable[[], Metric]],
) -> tuple[dict[str, Metric], dict[str, str]]:
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
