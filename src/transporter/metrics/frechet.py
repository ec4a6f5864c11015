"""Fréchet video distance (Unterthiner et al. 2018): how far generated clips lie from real ones, in
a network's features.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from transporter.metrics.base import LOWER, SetMetric, check_video
from transporter.networks.i3d import I3D
from transporter.support.errors import Unavailable, UserError
from transporter.support.hashes import LENGTH, file_hash

ENOUGH_CLIPS = 256
"""Below, the value says more about the number of clips than about the clips."""


def frechet_distance(real: torch.Tensor, generated: torch.Tensor) -> torch.Tensor:
    """Fréchet distance of the normal distributions with the means and covariances of two sets of
    features `(n, d)`, `(m, d)`.

    `|mu_1 - mu_2|^2 + Tr(S_1 + S_2 - 2 (S_1 S_2)^(1/2))`. With `S = A^T A` of centred features the
    last trace is the sum of the singular values of `A_1 A_2^T`, which stays exact for fewer clips
    than features, where roots of `S_1 S_2` do not.

    >>> x = torch.tensor([[0.0], [2.0]])
    >>> float(frechet_distance(x, 2 * x + 1))  # means 1 and 3, deviations sqrt(2) and 2 sqrt(2)
    6.0

    Raises:
        UserError: fewer than two clips in a set.
    """
    for name, features in (("real", real), ("generated", generated)):
        if len(features) < 2:
            raise UserError(f"FVD: expected at least 2 {name} clips, got {len(features)}")
    (mean_1, a_1), (mean_2, a_2) = _moments(real), _moments(generated)
    crossed = torch.linalg.svdvals(a_1 @ a_2.T).sum()
    return (mean_1 - mean_2).square().sum() + a_1.square().sum() + a_2.square().sum() - 2 * crossed


def _moments(features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The mean `(d,)`, and the smaller of a root `A` `(n, d)` of the covariance `A^T A` and its
    triangular factor, in float64.
    """
    features = features.double()
    mean = features.mean(0)
    root = (features - mean) / (len(features) - 1) ** 0.5
    return mean, torch.linalg.qr(root, mode="r").R if len(root) > root.shape[1] else root


def two_of_each(real: int, generated: int) -> None:
    """Refuse a distance of a single clip, which has no covariance.

    Raises:
        Unavailable: fewer than two real clips, or generated ones of a system.
    """
    if min(real, generated) < 2:
        raise Unavailable(
            f"FVD: expected at least 2 real clips and 2 of each system, got {real} and {generated}"
        )


@dataclass(frozen=True)
class Features:
    """A network's features of clips."""

    name: str
    of: Callable[[torch.Tensor], torch.Tensor]
    """Clips `(B, T, 3, H, W)` in [0, 1] to features `(B, d)`."""
    hash: str
    """Of the weights."""


def i3d_features(path: str | os.PathLike[str], device: torch.device | str = "cpu") -> Features:
    """I3D's logits, with the weights at `path`: the features of published FVD values."""
    return Features("i3d", I3D.load(path, device), file_hash(Path(path))[:LENGTH])


class FrechetVideoDistance(SetMetric):
    """FVD of generated clips from real ones; `fvd` with I3D, `fvd_<name>` with other features.

    Args:
        features: what clips are compared in.
        stride: how frames were taken from the videos, for the protocol: every how many, or in
            words.
    """

    higher_is_better = False

    def __init__(self, features: Features, stride: int | str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.features, self.stride = features, stride
        self.size: tuple[int, ...] | None = None
        self.number = "fvd" if features.name == "i3d" else f"fvd_{features.name}"
        self.numbers = {self.number: LOWER}

    @torch.no_grad()
    def update(self, clip: torch.Tensor, real: bool) -> None:
        """Take in clips `(B, T, 3, H, W)` in [0, 1], real or generated.

        Raises:
            UserError: clips of another shape than those before, or that the features' network does
                not take.
        """
        check_video("FVD", clip.shape, self.size)
        self.size = tuple(clip.shape[1:])
        self.keep(self.features.of(clip), real)

    def compute(self) -> dict[str, float]:
        """The distance; warns below `ENOUGH_CLIPS` clips in either set.

        Raises:
            UserError: fewer than two clips in a set.
        """
        counts = self.counts()
        if 0 in counts:
            raise UserError(
                f"FVD: expected real and generated clips, got {counts[0]} and {counts[1]}"
            )
        if warning := self.warning(*counts):
            warnings.warn(warning, stacklevel=2)
        return {self.number: float(frechet_distance(**self.vectors()))}

    def protocol(self) -> dict[str, str | int]:
        """Frames, stride, size in pixels, features and the hash of their weights."""
        frames, _, height, width = self.size or (0, 0, 0, 0)
        return {
            "frames": frames,
            "stride": self.stride,
            "size": f"{height}x{width}",
            "features": self.features.name,
            "hash": self.features.hash,
        }

    def warning(self, real: int, generated: int) -> str:
        """That the value is inflated, below `ENOUGH_CLIPS` clips in either set."""
        if min(real, generated) >= ENOUGH_CLIPS:
            return ""
        return (
            f"FVD of {real} real and {generated} generated clips: below {ENOUGH_CLIPS} it is"
            " inflated."
        )
