"""LPIPS of videos (Zhang et al. 2018): how different two clips look, frame by frame, to AlexNet
calibrated on human judgements.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch
from torchmetrics.functional.image.lpips import _LPIPS
from torchmetrics.utilities import dim_zero_cat

from transporter.metrics.base import LOWER, Metric, check_video
from transporter.networks.pretrained import load_weights
from transporter.support.errors import UserError
from transporter.support.hashes import LENGTH, file_hash

MIN_SIZE = 31
"""Pixels a side; from fewer AlexNet's pooling leaves nothing."""


class VideoLPIPS(Metric):
    """LPIPS^v: the mean over frames of LPIPS with AlexNet, and over pairs of clips.

    Args:
        path: AlexNet's weights, a safetensors file
            (`transporter.networks.published.fetch("lpips", folder)`); the linear heads, version
            0.1, come with torchmetrics.
    """

    higher_is_better = False
    numbers: ClassVar[Mapping[str, str]] = {"lpips": LOWER}
    unit = "pairs"

    def __init__(self, path: str | os.PathLike[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        # the public class of torchmetrics downloads AlexNet and can be given no other weights
        self.network = _LPIPS(net="alex", pnet_rand=True)
        load_weights(self.network.net, path)
        self.hash = file_hash(Path(path))[:LENGTH]
        self.size: tuple[int, ...] | None = None
        self.add_state("distances", default=[], dist_reduce_fx="cat")

    @torch.no_grad()
    def update(self, clip: torch.Tensor, reference: torch.Tensor) -> None:
        """Take in pairs of clips `(B, T, 3, H, W)` in [0, 1] of one shape.

        Raises:
            UserError: the clips of a pair, or those before, have another shape; or their sides are
                below `MIN_SIZE`.
        """
        check_video("LPIPS^v", clip.shape, self.size)
        if clip.shape != reference.shape or min(clip.shape[-2:]) < MIN_SIZE:
            shapes = f"{tuple(clip.shape)} and {tuple(reference.shape)}"
            raise UserError(
                f"LPIPS^v: expected two sets of clips of one shape, at least {MIN_SIZE} pixels a"
                f" side, got {shapes}"
            )
        self.size = tuple(clip.shape[1:])
        frames = self.network(clip.flatten(0, 1), reference.flatten(0, 1), normalize=True)
        self.distances.append(frames.view(clip.shape[:2]).mean(1))

    def compute(self) -> dict[str, float]:
        """`lpips`: 0 for equal clips."""
        return {"lpips": float(dim_zero_cat(self.distances).double().mean())}

    def protocol(self) -> dict[str, str | int]:
        """Frames, size in pixels, network and the hash of its weights."""
        frames, _, height, width = self.size or (0, 0, 0, 0)
        return {
            "frames": frames,
            "size": f"{height}x{width}",
            "network": "alexnet v0.1",
            "hash": self.hash,
        }

    def per_clip(self) -> dict[str, torch.Tensor]:
        """`lpips`."""
        return {"lpips": dim_zero_cat(self.distances)}
