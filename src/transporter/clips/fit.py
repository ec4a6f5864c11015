"""Clips of any size as clips of the size that a model takes."""

from __future__ import annotations

import torch
import torch.nn.functional as F


def resize_and_crop(video: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Scale `(T, C, h, w)` until it just covers `height` x `width`, then cut out the centre;
    identity where sizes match.
    """
    rows, columns = video.shape[-2:]
    if (rows, columns) != (height, width):
        scale = max(height / rows, width / columns)
        size = (max(height, round(rows * scale)), max(width, round(columns * scale)))
        video = F.interpolate(
            video, size=size, mode="bilinear", antialias=True, align_corners=False
        ).clamp(0, 1)
    top, left = (video.shape[-2] - height) // 2, (video.shape[-1] - width) // 2
    return video[..., top : top + height, left : left + width]
