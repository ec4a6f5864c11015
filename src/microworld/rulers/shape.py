"""The sprite's shape and size."""

from __future__ import annotations

import torch

from microworld.renderer import RADIUS
from microworld.rulers.ramps import ramp
from microworld.rulers.sprite import Sprite

RADIUS_FIT = ((3.142, 1.74, 1.001), (2.958, 1.94, 1.013), (1.997, 3.08, 1.028))
"""Per shape: area at radius 1, then offset (pixels) and slope from the radius of the coloured
inside to that with outline.

The last two are a least-squares fit on 300 rendered clips; its residue is 0.08, 0.12 and 0.16
pixels.
"""
TRIANGLE_FROM, SQUARE_FROM = (0.12, 0.20), (0.20, 0.32)
"""Soft thresholds of the third and fourth harmonic: 0.23 for triangles and below 0.09 else; 0.44
for squares, 0.09 for circles.
"""


def measure_shape(sprite: Sprite) -> dict[str, torch.Tensor]:
    """`corners` `(B, 2)`: strength of three and of four; `shape` `(B, 3)`: probabilities of its
    words; `radius` `(B,)` in pixels; `size` `(B,)`: its degree.
    """
    rough = (sprite.area / 2.2).clamp_min(1).sqrt()[..., None, None]
    filled = _filled(sprite, rough)
    corners = _corners(sprite, filled, rough)
    triangle = ramp(corners[:, 0], *TRIANGLE_FROM)
    square = (1 - triangle) * ramp(corners[:, 1], *SQUARE_FROM)
    shape = torch.stack([1 - triangle - square, square, triangle], -1)
    radius = _radius(filled.sum((-1, -2)).median(dim=1).values, shape)
    return {"corners": corners, "shape": shape, "radius": radius, "size": ramp(radius, *RADIUS)}


def _filled(sprite: Sprite, rough: torch.Tensor) -> torch.Tensor:
    """The mask without the hand's hole, and nothing beyond the sprite; `rough` is about its
    radius.
    """
    square = sprite.distance_squared
    within = square < (1.6 * rough).square()
    return torch.where(square < (0.45 * rough).square(), 1.0, sprite.mask) * within


def _corners(sprite: Sprite, filled: torch.Tensor, rough: torch.Tensor) -> torch.Tensor:
    """Third and fourth angular harmonic of the filled inside, the median over time: `(B, 2)`."""
    offset = torch.complex(sprite.across, sprite.down) / rough
    twice, square = offset * offset, sprite.distance_squared / rough.square()
    three = _harmonic(filled, twice * offset, square * square.sqrt())
    four = _harmonic(filled, twice * twice, square.square())
    return torch.stack([three, four], -1)


def _harmonic(filled: torch.Tensor, power: torch.Tensor, length: torch.Tensor) -> torch.Tensor:
    weight = (filled * length).sum((-1, -2)).clamp_min(1e-6)
    strength = (filled * power).sum((-1, -2)).abs() / weight
    return strength.median(dim=1).values


def _radius(area: torch.Tensor, shape: torch.Tensor) -> torch.Tensor:
    """From the area `(B,)` of the inside, which depends on the shape `(B, 3)`: `(B,)`."""
    area_of_unit, offset, slope = area.new_tensor(RADIUS_FIT).unbind(-1)
    return ((offset + slope * (area[:, None] / area_of_unit).sqrt()) * shape).sum(-1)
