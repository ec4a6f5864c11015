"""Where the sprite is: what is more colourful than the landscape.

A sprite's chroma (largest minus smallest channel) is 0.69 to 0.81, that of sky, ground, sun and
moon at most 0.54. The threshold lies between the two as found in each clip, so that pale or blurred
clips work too.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from microworld.rulers.landscape import SPARSE
from microworld.rulers.ramps import at_share, ramp

APART = (0.15, 0.3)
"""Soft threshold of the distance in RGB between the sprite and the landscape's colour in its row.
"""
SOFT = 0.2
"""The sprite begins half-way from the landscape's chroma to the sprite's, give or take this share.
"""
REACH = 19.0
"""No part of a sprite is farther from its centre, in pixels."""
EDGE = 2
"""Width in pixels of a sprite's outline, and of its edge that a VAE washes out."""


@dataclass(frozen=True)
class Sprite:
    """The sprite's coloured inside, in pixels."""

    mask: torch.Tensor
    """`(B, T, H, W)` in [0, 1]."""
    x: torch.Tensor
    """Centroids `(B, T)`."""
    y: torch.Tensor
    area: torch.Tensor
    """`(B, T)`."""
    across: torch.Tensor
    """Every pixel's way from the centroid to the right, `(B, T, H, W)`."""
    down: torch.Tensor
    """The same downwards."""

    @property
    def distance_squared(self) -> torch.Tensor:
        """Of every pixel from the centroid, `(B, T, H, W)`."""
        return self.across.square() + self.down.square()


def find_sprite(video: torch.Tensor, rows: torch.Tensor) -> Sprite:
    """The sprite of clips `(B, T, 3, H, W)` in [0, 1] whose landscape has the colours `rows`
    `(B, H, 3)`.
    """
    mask = _colourful(video) * _unlike_the_landscape(video, rows)
    lines, columns = (torch.arange(n, device=video.device) + 0.5 for n in video.shape[-2:])
    x, y = _median(mask.sum(-2)), _median(mask.sum(-1))
    across, down = columns - x[..., None], lines - y[..., None]
    near = (across[:, :, None].square() + down[..., None].square()) < REACH**2
    mask = mask * near
    area = mask.sum((-1, -2))
    x = (mask.sum(-2) * columns).sum(-1) / area.clamp_min(1e-6)
    y = (mask.sum(-1) * lines).sum(-1) / area.clamp_min(1e-6)
    latest = _latest(area > 1)
    x, y = x.gather(1, latest), y.gather(1, latest)
    across = (columns - x[..., None])[:, :, None].expand_as(mask)
    down = (lines - y[..., None])[..., None].expand_as(mask)
    return Sprite(mask, x, y, area, across, down)


def whole_sprite(video: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    """The sprite with its outline, which has no colour: `(B, T, H, W)` bool."""
    inside = (find_sprite(video, rows).mask > 0.5).float()
    return F.max_pool2d(inside, 2 * EDGE + 1, stride=1, padding=EDGE) > 0


def sprite_hue(video: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Hue in [0, 1) of the mean colour inside the mask `(B, T, H, W)`: `(B,)`."""
    inside = (mask * (mask > 0.5)).flatten(1)[:, None]
    total = inside.sum(-1).clamp_min(1e-6)
    return _hue((video.transpose(1, 2).flatten(2) * inside).sum(-1) / total)


def _colourful(video: torch.Tensor) -> torch.Tensor:
    """How much each pixel's chroma is a sprite's, not the landscape's: `(B, T, H, W)` in [0, 1]."""
    chroma = video.amax(2) - video.amin(2)
    some = chroma[:, ::SPARSE]
    floor = at_share(some.transpose(1, 2).flatten(2), 0.35)[:, None, :, None]
    peak = torch.maximum(at_share(some.flatten(1), 0.994)[:, None, None, None], floor + 0.05)
    return ((chroma - floor) / (peak - floor)).sub(0.5 - SOFT).div(2 * SOFT).clamp(0, 1)


def _unlike_the_landscape(video: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    apart = (video - rows.transpose(1, 2)[:, None, ..., None]).square().sum(2).sqrt()
    return ramp(apart, *APART)


def _median(along: torch.Tensor) -> torch.Tensor:
    """The weighted median place of weights `(B, T, n)`, `(B, T)`: specks elsewhere do not move
    it.
    """
    total = along.cumsum(-1)
    return (total < 0.5 * total[..., -1:]).sum(-1) + 0.5


def _latest(visible: torch.Tensor) -> torch.Tensor:
    """For each frame the latest with a visible sprite, or the first that ever has one: `(B, T)`
    bool to `(B, T)` indices.
    """
    index = torch.arange(visible.shape[1], device=visible.device)
    latest = torch.where(visible, index, 0).cummax(1).values
    return torch.maximum(latest, visible.int().argmax(1, keepdim=True))


def _hue(rgb: torch.Tensor) -> torch.Tensor:
    """Hue in [0, 1) of colours `(..., 3)`, by the hexagon that `colorsys` uses."""
    high, where = rgb.max(-1)
    chroma = (high - rgb.min(-1).values).clamp_min(1e-6)
    red, green, blue = rgb.unbind(-1)
    sectors = torch.stack(
        [(green - blue) / chroma, 2 + (blue - red) / chroma, 4 + (red - green) / chroma], -1
    )
    return sectors.gather(-1, where[..., None])[..., 0] / 6 % 1.0
