"""A clip as a model takes it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import Literal

import numpy as np
import torch

from transporter.clips.settings import Fit

Reader = Literal["decord", "av"]
"""The library that decoded a clip."""


@dataclass(frozen=True)
class Clip:
    """Some frames of a file, and when a player shows them.

    Attributes:
        video: `(T, C, H, W)` RGB float32 in [0, 1].
        times: when each frame is shown, `(T,)` seconds from the first frame of the file.
        seconds: how long the frames last, T times the mean step between two.
        reader: who decoded it.
        fit: what was done about its proportions.
    """

    video: torch.Tensor
    times: np.ndarray
    seconds: float
    reader: Reader
    fit: Fit

    @property
    def served_by(self) -> str:
        """The library that decoded it, and its version: `decord 0.6.0`."""
        return f"{self.reader} {_version(self.reader)}"


_version = cache(version)
"""Of a library; packages are looked through each time."""
