"""Every method's clips scored by the same metrics, clip by clip, so that methods can be compared
with intervals.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch
from torchmetrics import MetricCollection

from transporter.metrics.base import Metric

COLUMNS = (
    "system",
    "concept",
    "seed",
    "target_caption",
    "clip",
    "origin",
    "reference",
    "seconds_per_step",
)
VIDEOS = ("clip", "origin", "reference")
"""Columns of files that are both a clip's and a metric's input."""
Read = Callable[[str], torch.Tensor]
"""A clip's file to `(T, 3, H, W)` in [0, 1]."""
Encode = Callable[[torch.Tensor], torch.Tensor]
"""Clips `(B, T, 3, H, W)` to the VLM's tokens `(B, N, D)`."""
AT_ONCE = 8
"""Clips that are scored together."""


@dataclass(frozen=True)
class Scores:
    """`table`: the clips with a column per number that each clip has; `vectors`: what numbers of
    sets of clips are made of.

    `<metric>/real` has a row `(d,)` per real clip, `<metric>/generated` one per row of the table.
    """

    table: pd.DataFrame
    vectors: dict[str, torch.Tensor]


class _Inputs:
    """Makes of clips' files what some metrics ask for, and no more."""

    def __init__(self, metrics: Mapping[str, Metric], read: Read, encode: Encode) -> None:
        self.needed = {name for metric in metrics.values() for name in metric.inputs()}
        self.read, self.encode = read, encode

    @torch.no_grad()
    def of(self, rows: pd.DataFrame, real: bool) -> dict[str, Any]:
        """Those of `base.INPUTS` that are needed and that `rows` have, by name."""
        videos = {name: self.read_all(rows[name]) for name in VIDEOS if self._due(name, rows)}
        given: dict[str, Any] = {**videos, "real": real}
        if "target_caption" in rows:
            given["captions"] = rows["target_caption"].tolist()
        if "tokens" in self.needed:
            given["tokens"] = self.encode(videos["clip"])
        return given

    def read_all(self, files: Sequence[str]) -> torch.Tensor:
        """Clips `(B, T, 3, H, W)` in [0, 1]."""
        return torch.stack([self.read(path) for path in files])

    def _due(self, name: str, rows: pd.DataFrame) -> bool:
        needed = name in self.needed or (name == "clip" and "tokens" in self.needed)
        return needed and name in rows


def score(
    clips: pd.DataFrame,
    real: list[str],
    metrics: Mapping[str, Metric],
    read: Read,
    encode: Encode,
    batch: int = AT_ONCE,
) -> Scores:
    """Score clips, a row of `COLUMNS` each, of any number of systems, and the files `real` of real
    clips, with fresh `metrics`.

    Raises:
        UserError: a metric asks for what there is not.
    """
    sets = {name: metric for name, metric in metrics.items() if "real" in metric.inputs()}
    _take_in(pd.DataFrame({"clip": real}), sets, _Inputs(sets, read, encode), batch, real=True)
    _take_in(clips, metrics, _Inputs(metrics, read, encode), batch, real=False)
    numbers = {
        key: values.tolist()
        for metric in metrics.values()
        for key, values in metric.per_clip().items()
    }
    vectors = {
        f"{name}/{kind}": values.cpu()
        for name, metric in metrics.items()
        for kind, values in metric.vectors().items()
    }
    return Scores(clips.reset_index(drop=True).assign(**numbers), vectors)


def _take_in(
    clips: pd.DataFrame, metrics: Mapping[str, Metric], inputs: _Inputs, batch: int, real: bool
) -> None:
    """Give every metric what it needs of all `clips`."""
    if not metrics:
        return
    # torchmetrics hands each metric those arguments that its `update` has
    collection = MetricCollection(dict(metrics), compute_groups=False)
    done = 0
    for rows in _batches(clips, batch):
        collection.update(**inputs.of(rows, real))
        done += len(rows)
        if not real:
            print(f"{done} of {len(clips)} clips scored", flush=True)


def _batches(table: pd.DataFrame, size: int) -> Iterator[pd.DataFrame]:
    for start in range(0, len(table), size):
        yield table.iloc[start : start + size]
