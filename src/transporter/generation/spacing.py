"""Strengths at which a VLM's answer moves by equal steps."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from transporter.support.files import read_table, write_table

COLUMNS = ("phi", "progress", "clips")
SLOPE = 0.05
"""Share of the progress that is spread evenly over phi, so that strengths rise where the answer
does not.
"""


@dataclass(frozen=True)
class Response:
    """The mean course of the log-odds over some clips of a concept.

    Attributes:
        phi: strengths from 0 to 1, `(K,)`.
        progress: share of the way from the log-odds at 0 to those at 1 that lies behind at each of
            them, `(K,)`, rising from 0 to 1.
        clips: whose mean this is; of none, progress is phi.
    """

    phi: np.ndarray
    progress: np.ndarray
    clips: int

    @classmethod
    def unknown(cls) -> Response:
        """Where no clip could be tried: strengths stay as they are."""
        return cls(np.array([0.0, 1.0]), np.array([0.0, 1.0]), 0)

    @classmethod
    def of_log_odds(cls, phi: Sequence[float], log_odds: np.ndarray) -> Response:
        """Of the log-odds of some clips at each strength, `(n, K)`. Each clip counts alike, however
        far its answer moves; one whose answer does not rise tells nothing.
        """
        phi = np.asarray(phi, dtype=float)
        rising = log_odds[log_odds[:, -1] > log_odds[:, 0]]
        if not len(rising):
            return cls(phi, phi, 0)
        way = rising[:, -1:] - rising[:, :1]
        mean = ((rising - rising[:, :1]) / way).mean(0)
        # a way back is waited for
        return cls(phi, np.maximum.accumulate(mean.clip(0, 1)), len(rising))

    def even(self, phi: Sequence[float]) -> list[float]:
        """Strengths at which the progress is `phi`; those outside [0, 1] stay as they are."""
        course = (1 - SLOPE) * self.progress + SLOPE * self.phi
        found = [float(np.interp(one, course, self.phi)) if 0 < one < 1 else one for one in phi]
        short = [round(one, 2) for one in found]
        return short if len(set(short)) == len(found) else found

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a table, a row for each strength, with the columns `COLUMNS`."""
        rows = {"phi": self.phi, "progress": self.progress, "clips": self.clips}
        write_table(pd.DataFrame(rows), path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Response:
        """What `save` wrote.

        Raises:
            UserError: no such table, or one without these columns.
        """
        table = read_table(path, COLUMNS)
        columns = (table[name].to_numpy(dtype=float) for name in ("phi", "progress"))
        return cls(*columns, int(table["clips"].iloc[0]))
