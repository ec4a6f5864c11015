"""What every metric of generated videos offers: what it needs, what it gives of each clip and of
sets of clips, which direction is better, and what its numbers depend on.
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
import torchmetrics
from torchmetrics.utilities import dim_zero_cat

from transporter.support.errors import UserError

HIGHER, LOWER = "higher", "lower"
INPUTS: Mapping[str, str] = {
    "clip": "clips `(B, T, 3, H, W)` in [0, 1]",
    "origin": "what each clip began from, as `clip`",
    "reference": "a real clip to compare each with, as `clip`",
    "captions": "B target captions",
    "tokens": "the VLM's tokens of the clips `(B, N, D)`",
    "real": "whether they are real clips or generated ones",
}
"""What a metric can ask for: the parameters that `update` may have."""
OF_REAL_CLIPS = ("clip", "tokens", "real")
"""Those of them that there are of real clips too."""


class Metric(torchmetrics.Metric, ABC):
    """Numbers over a set of clips: `update` takes in some of them, `compute` gives the numbers by
    name.

    The names of `update`'s parameters, some of `INPUTS`, say what a metric needs, as in
    torchmetrics' collections; one with `real` is given the real clips too. The order of clips and
    the size of batches do not matter. What the constructor needs and the machine lacks raises
    `Unavailable`.
    """

    numbers: ClassVar[Mapping[str, str]]
    """What it computes, each with the direction that is better, `HIGHER` or `LOWER`."""
    unit: ClassVar[str] = "clips"
    """What it counts."""
    full_state_update = False

    @classmethod
    def inputs(cls) -> tuple[str, ...]:
        """What it needs, of `INPUTS`.

        Raises:
            UserError: `update` has a parameter of another name, or asks of real clips what there is
                not of them.
        """
        names = tuple(inspect.signature(cls.update).parameters)[1:]
        known = OF_REAL_CLIPS if "real" in names else tuple(INPUTS)
        if unknown := [name for name in names if name not in known]:
            raise UserError(
                f"{cls.__name__}.update: expected parameters among {', '.join(known)}, got"
                f" {', '.join(unknown)}"
            )
        return names

    @abstractmethod
    def compute(self) -> dict[str, float]:
        """Each of `numbers` that this machine can compute."""

    @abstractmethod
    def protocol(self) -> dict[str, str | int]:
        """What the numbers depend on, besides which clips they are of and how many."""

    def per_clip(self) -> dict[str, torch.Tensor]:
        """The numbers that each clip has, `(n,)`, in the order in which the clips came."""
        return {}

    def vectors(self) -> dict[str, torch.Tensor]:
        """What numbers of sets are made of: `real` `(n, d)` and `generated` `(m, d)`."""
        return {}

    def warning(self, real: int, generated: int) -> str:
        """What to know of numbers of so many clips; empty where there is nothing."""
        return ""


class SetMetric(Metric):
    """Numbers of a set of generated clips against a set of real ones; it keeps a vector of each
    clip.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        for name in ("real", "generated"):
            self.add_state(name, default=[], dist_reduce_fx="cat")

    def keep(self, vectors: torch.Tensor, real: bool) -> None:
        """Take in the vectors `(B, d)` of some clips."""
        (self.real if real else self.generated).append(vectors)

    def counts(self) -> tuple[int, int]:
        """Real and generated clips so far."""
        return sum(map(len, self.real)), sum(map(len, self.generated))

    def vectors(self) -> dict[str, torch.Tensor]:
        """`real` `(n, d)` and `generated` `(m, d)`."""
        return {name: dim_zero_cat(getattr(self, name)) for name in ("real", "generated")}


def check_video(who: str, shape: tuple[int, ...], size: tuple[int, ...] | None = None) -> None:
    """Accept clips `(B, T, 3, H, W)`, all of one `size` (T, 3, H, W) where it is given.

    Raises:
        UserError: another shape.
    """
    if len(shape) != 5 or shape[2] != 3 or 0 in shape:
        raise UserError(f"{who}: expected clips (B, T, 3, H, W) in [0, 1], got {tuple(shape)}")
    if size is not None and tuple(shape[1:]) != tuple(size):
        raise UserError(
            f"{who}: expected clips of {tuple(size)} like those before, got {tuple(shape[1:])};"
            " read all in one size"
        )
