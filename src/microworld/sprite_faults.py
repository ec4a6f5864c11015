"""Does the sprite hold? A reading of its outline in which no probe takes part: the areas of strong
colour, frame by frame. Rendered clips have no fault.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np
import torch
from scipy import ndimage
from scipy.spatial import ConvexHull

from microworld.clips import checked
from microworld.rulers.landscape import row_colours

STRONG, PALE = 0.5, 0.6
"""Chroma (largest minus smallest channel) above which a pixel may be the sprite's, and the median
of these below which the sprite is pale; rendered ones have 0.69 to 0.81.
"""
APART = 0.3
"""How far a sprite's pixel is from its row's landscape in RGB, at least."""
VANISHED, PIECE = 20, 16
"""Pixels below which nothing of the sprite is left, whose inside has 47 at least, and from which a
second area is another sprite, or a piece torn off.
"""
TIMES = 2
"""How many frames have to show a fault."""
ROUND = 0.9
"""Least ratio of a circle's axes, and of its area to that of its convex hull."""
CORNERS = tuple(product((-0.5, 0.5), repeat=2))
"""Of a pixel, from its middle."""
FAULTS = ("vanished", "pale", "in pieces")


def sprite_faults(video: torch.Tensor) -> list[list[str]]:
    """What is wrong with the sprite in two frames or more, for each clip of `(B, T, 3, H, W)` in
    [0, 1]: some of `FAULTS`.

    Raises:
        UserError: clips of another size than the microworld's.
    """
    return [_of_clip(clip) for clip in _strong(video)]


def round_frames(video: torch.Tensor) -> np.ndarray:
    """Where the sprite of clips `(B, T, 3, H, W)` in [0, 1] is as round as a circle: `(B, T)`
    bool.

    Raises:
        UserError: clips of another size than the microworld's.
    """
    return np.array([[_round(_parts(mask)[0]) for mask, _ in clip] for clip in _strong(video)])


Clip = list[tuple[np.ndarray, np.ndarray]]
"""For each frame which pixels may be the sprite's, `(H, W)` bool, and the chroma of all."""


def _strong(video: torch.Tensor) -> Iterator[Clip]:
    clips = checked(video, "sprite_faults").float().cpu()
    chroma = clips.amax(2) - clips.amin(2)
    # (B, H, 3) -> (B, 1, 3, H, 1)
    landscape = row_colours(clips).transpose(1, 2)[:, None, ..., None]
    apart = (clips - landscape).square().sum(2).sqrt()
    strong = (chroma > STRONG) & (apart > APART)
    for masks, values in zip(strong.numpy(), chroma.numpy(), strict=True):
        yield list(zip(masks, values, strict=True))


def _parts(mask: np.ndarray) -> list[np.ndarray]:
    """Connected areas of a frame, the largest first; one without a pixel where there is none."""
    labels, count = ndimage.label(mask)
    parts = [labels == label for label in range(1, count + 1)]
    return sorted(parts, key=np.sum, reverse=True) or [mask]


def _of_clip(clip: Clip) -> list[str]:
    counts = dict.fromkeys(FAULTS, 0)
    for mask, chroma in clip:
        for fault in _of_frame(_parts(mask), chroma):
            counts[fault] += 1
    return [fault for fault, count in counts.items() if count >= TIMES]


def _of_frame(parts: list[np.ndarray], chroma: np.ndarray) -> Iterator[str]:
    # the hand's hole is the sprite's
    if ndimage.binary_fill_holes(parts[0]).sum() < VANISHED:
        yield "vanished"
    elif np.median(chroma[parts[0]]) < PALE:
        yield "pale"
    if len(parts) > 1 and parts[1].sum() >= PIECE:
        yield "in pieces"


def _round(part: np.ndarray) -> bool:
    filled = ndimage.binary_fill_holes(part)
    places = np.argwhere(filled)
    if len(places) < VANISHED:
        return False
    # a pixel is a square, not a point
    variances = np.linalg.eigvalsh(np.cov(places.T) + np.eye(2) / 12)
    corners = [places + np.array(offset) for offset in CORNERS]
    solidity = len(places) / ConvexHull(np.concatenate(corners)).volume
    return bool(np.sqrt(variances[0] / variances[1]) > ROUND and solidity > ROUND)
