"""Draw a clip: an anti-aliased sprite that moves before a landscape, 64 x 64 RGB, 17 frames at 8
frames per second.
"""

from __future__ import annotations

import colorsys
import math
from dataclasses import dataclass, replace

import numpy as np

from microworld.attributes import Attributes

SIZE, FRAMES, FPS = 64, 17, 8
RADIUS = (8.5, 13.5)
"""Sprite radius in pixels of the smallest and the largest sprite; large enough for a VAE that
compresses 8 x 8.
"""
PATH = (10.0, 34.0)
"""Pixels that a translating sprite covers, slowest and quickest."""
BOUNCES = (1.0, 3.0)
TURNS = (0.2, 0.8)
BOUNCE_HEIGHT = 18.0
OUTLINE = 1.4

GROUND_COLOURS = {
    "grass": (0.30, 0.62, 0.22),
    "snow": (0.93, 0.95, 0.98),
    "sand": (0.87, 0.74, 0.48),
}
SKY_NIGHT = np.array([(0.02, 0.03, 0.12), (0.10, 0.11, 0.28)], np.float32)
SKY_DAY = np.array([(0.45, 0.72, 0.98), (0.75, 0.88, 1.00)], np.float32)
_Y, _X = (np.mgrid[:SIZE, :SIZE] + 0.5).astype(np.float32)
_TRIANGLE = np.array(
    [(math.cos(a), math.sin(a)) for a in (math.pi / 2, math.pi * 7 / 6, -math.pi / 6)], np.float32
)
"""Outward normals of an equilateral triangle's edges (y points down, so one corner is at the top).
"""


def lerp(ends: tuple[float, float] | np.ndarray, share: float) -> float | np.ndarray:
    """Linear interpolation between two ends."""
    return ends[0] + (ends[1] - ends[0]) * share


@dataclass(frozen=True)
class Layout:
    """Where things stand in one clip: nuisance parameters that no word names. Pixels; paths are
    `(T,)`.
    """

    x: np.ndarray
    y: np.ndarray
    angle: np.ndarray
    radius: float
    horizon: float
    disc: tuple[float, float]
    ground_tint: float

    def at(self, frames: np.ndarray | slice) -> Layout:
        """The same layout at some of its frames only."""
        return replace(self, x=self.x[frames], y=self.y[frames], angle=self.angle[frames])


def draw_layout(attributes: Attributes, rng: np.random.Generator) -> Layout:
    """Choose a path that keeps the sprite inside the frame, and the landscape around it."""
    radius = float(lerp(RADIUS, attributes.size))
    x, y, angle = _draw_path(attributes, radius, rng)
    return Layout(
        x=x,
        y=y,
        angle=angle,
        radius=radius,
        horizon=rng.uniform(35, 42),
        disc=(rng.uniform(6, 58), rng.uniform(6, 13)),
        ground_tint=rng.uniform(0.96, 1.04),
    )


def _draw_path(
    attributes: Attributes, radius: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Centres in pixels and angle in radians of a sprite, each `(T,)`."""
    time = np.linspace(0, 1, FRAMES, dtype=np.float32)
    low, high = radius + 1, SIZE - radius - 1
    x, y = (np.full(FRAMES, rng.uniform(low, high), np.float32) for _ in range(2))
    angle = np.zeros(FRAMES, np.float32)
    if attributes.motion == "spins":
        angle = 2 * math.pi * lerp(TURNS, attributes.speed) * time
    elif attributes.motion == "bounces":
        base = rng.uniform(low + BOUNCE_HEIGHT, high) if low + BOUNCE_HEIGHT < high else high
        y = base - BOUNCE_HEIGHT * np.abs(np.sin(math.pi * lerp(BOUNCES, attributes.speed) * time))
    else:
        length = lerp(PATH, attributes.speed)
        start = rng.uniform(low, max(low, high - length))
        path = start + length * time
        path = SIZE - path if attributes.motion in ("left", "up") else path
        x, y = (path, y) if attributes.motion in ("left", "right") else (x, path)
    return x, y, angle


def _background(attributes: Attributes, layout: Layout) -> np.ndarray:
    """Sky, ground and sun or moon: `(H, W, 3)`."""
    day = attributes.time
    sky_top, sky_low = lerp((SKY_NIGHT, SKY_DAY), day)
    sky = sky_top + (sky_low - sky_top) * np.clip(_Y / layout.horizon, 0, 1)[..., None]
    light = lerp((np.array((0.33, 0.36, 0.50)), np.ones(3)), day)
    shade = 1 - 0.18 * np.clip((_Y - layout.horizon) / (SIZE - layout.horizon), 0, 1)[..., None]
    ground = np.array(GROUND_COLOURS[attributes.ground]) * layout.ground_tint * light * shade
    below = np.clip(_Y - layout.horizon + 0.5, 0, 1)[..., None]
    disc_colour = lerp((np.array((0.92, 0.92, 0.85)), np.array((1.0, 0.95, 0.55))), day)
    disc = np.clip(5 - np.hypot(_X - layout.disc[0], _Y - layout.disc[1]), 0, 1)[..., None]
    sky = sky * (1 - disc) + disc_colour * disc
    return (sky * (1 - below) + ground * below).astype(np.float32)


def _signed_distance(shape: str, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Distance in units of the radius to the shape's edge, negative inside; `x`, `y` in the
    sprite's own frame.
    """
    if shape == "circle":
        return np.hypot(x, y) - 1
    if shape == "square":
        return np.maximum(np.abs(x), np.abs(y)) - 0.86
    return (
        np.max(
            _TRIANGLE[:, 0, None, None, None] * x + _TRIANGLE[:, 1, None, None, None] * (y - 0.12),
            axis=0,
        )
        - 0.62
    )


def _hand(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Distance to the white clock hand from the sprite's centre upwards: it makes a turn visible on
    any shape.
    """
    return np.maximum(np.abs(x) - 0.17, np.maximum(y - 0.08, -y - 0.62))


def render(attributes: Attributes, layout: Layout) -> tuple[np.ndarray, np.ndarray]:
    """Draw a clip.

    Returns the frames `(T, H, W, 3)` uint8 and the sprite's mask `(T, H, W)` bool (true where it
    covers at least half a pixel).
    """
    x, y = _own_frame(layout)
    distance = _signed_distance(attributes.shape, x, y) * layout.radius
    cover = np.clip(0.5 - distance, 0, 1)[..., None]
    inner = np.clip(0.5 - distance - OUTLINE, 0, 1)[..., None]
    hand = np.clip(0.5 - _hand(x, y) * layout.radius, 0, 1)[..., None]
    background, sprite = _background(attributes, layout), _sprite(attributes, inner, hand)
    frames = background + cover * (sprite - background)
    return np.rint(np.clip(frames, 0, 1) * 255).astype(np.uint8), cover[..., 0] >= 0.5


def _own_frame(layout: Layout) -> tuple[np.ndarray, np.ndarray]:
    """Every pixel's place in the sprite's own frame, in units of its radius: x and y,
    `(T, H, W)`.
    """
    dx = (_X - layout.x[:, None, None]) / layout.radius
    dy = (_Y - layout.y[:, None, None]) / layout.radius
    cosine, sine = (f(layout.angle)[:, None, None].astype(np.float32) for f in (np.cos, np.sin))
    return cosine * dx + sine * dy, cosine * dy - sine * dx


def _sprite(attributes: Attributes, inner: np.ndarray, hand: np.ndarray) -> np.ndarray:
    """Colours of a sprite without end, `(T, H, W, 3)`, given how much its inside and its hand cover
    each pixel, `(T, H, W, 1)`.
    """
    dim = lerp((0.85, 1.0), attributes.time)
    colour = np.array(colorsys.hsv_to_rgb(attributes.hue, 0.87, 0.93), np.float32) * dim
    outline = lerp((np.full(3, 0.95), np.full(3, 0.06)), attributes.time).astype(np.float32)
    return outline + inner * (colour + hand * (0.97 * dim - colour) - outline)
