"""Pictures of any size as pictures of the size that a model takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
import torch.nn.functional as F

from transporter.clips.container import check_pixels
from transporter.clips.settings import Fit


def resize_and_crop(video: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Scale `(T, C, h, w)` until it just covers `height` x `width`, then cut out the centre;
    identity where sizes match.
    """
    size = _sizes(video.shape[-2], video.shape[-1], height, width, "crop")
    return _framed(_scaled(video, size), height, width)


def fitted(
    picture: np.ndarray, aspect: float, height: int, width: int, fit: Fit = "crop"
) -> torch.Tensor:
    """A picture `(h, w, 3)` uint8 as `(3, height, width)` float32 in [0, 1].

    Args:
        picture: RGB; no more than one of its channels is held as floating point at a time.
        aspect: width of one of its pixels by its height (the sample aspect ratio).

    Raises:
        VideoError: it is so long and thin that scaling makes it too large.
    """
    rows, columns = picture.shape[:2]
    size = _sizes(rows, columns * aspect, height, width, fit)
    check_pixels(size[1], size[0])
    values = torch.from_numpy(picture).permute(2, 0, 1)  # (3, h, w)
    if size == (rows, columns):
        return _framed(values.contiguous().float().div_(255), height, width)
    channels = [_scaled(channel[None, None].float().div_(255), size) for channel in values]
    return _framed(torch.cat(channels, 1)[0], height, width)


def _sizes(rows: float, columns: float, height: int, width: int, fit: Fit) -> tuple[int, int]:
    """Rows and columns that a picture of square pixels is scaled to."""
    if fit == "stretch":
        return height, width
    choice, bound = _SCALES[fit]
    scale = choice(height / rows, width / columns)
    return bound(height, round(rows * scale)), bound(width, round(columns * scale))


def _at_most(size: int, scaled: int) -> int:
    return max(1, min(size, scaled))


_SCALES: Mapping[str, tuple[Callable[..., float], Callable[[int, int], int]]] = {
    "crop": (max, max),
    "pad": (min, _at_most),
}
"""Which of both scales is taken, and how the sizes that it gives are bounded against rounding."""


def _scaled(video: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    if tuple(video.shape[-2:]) == size:
        return video
    return F.interpolate(
        video, size=size, mode="bilinear", antialias=True, align_corners=False
    ).clamp(0, 1)


def _framed(video: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """The centre of `(..., h, w)`, or all of it amid black."""
    rows, columns = video.shape[-2:]
    top, left = max(rows - height, 0) // 2, max(columns - width, 0) // 2
    video = video[..., top : top + height, left : left + width]
    above, before = max(height - rows, 0), max(width - columns, 0)
    if above or before:
        bars = (before // 2, before - before // 2, above // 2, above - above // 2)
        video = F.pad(video, bars)
    return video
