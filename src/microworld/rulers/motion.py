"""How the sprite moves, and how fast."""

from __future__ import annotations

import torch

from microworld.renderer import BOUNCES, PATH, TURNS
from microworld.rulers.ramps import ramp
from microworld.rulers.sprite import Sprite

WOBBLE = 7.0
"""Pixels forgiven in both directions together: a turning triangle's coloured inside circles round
its pivot.
"""


def measure_motion(
    video: torch.Tensor, sprite: Sprite, radius: torch.Tensor
) -> dict[str, torch.Tensor]:
    """Path, turns and bounces, `motion` and `speed`, as `AnalyticProbes.measure` lists them; clips
    `(B, T, 3, H, W)`, `radius` `(B,)` in pixels.
    """
    measured = _path(sprite.x, sprite.y)
    measured["bounces"] = _bounces(sprite.y)
    measured["turns"] = _turns(video, sprite, radius)
    measured["motion"] = _motion(measured)
    measured["speed"] = _speed(measured)
    return measured


def _path(x: torch.Tensor, y: torch.Tensor) -> dict[str, torch.Tensor]:
    """Displacement, extent and vertical way of centroids `(B, T)`, each `(B,)`."""
    dx, dy = x[:, -1] - x[:, 0], y[:, -1] - y[:, 0]
    width, height = (p.amax(1) - p.amin(1) for p in (x, y))
    path = y.diff(dim=1).abs().sum(1)
    return {"dx": dx, "dy": dy, "width": width, "height": height, "path": path}


def _motion(path: dict[str, torch.Tensor]) -> torch.Tensor:
    """Probabilities of the words of a motion with this path, `(B, 6)`."""
    width, height, dy = path["width"], path["height"], path["dy"]
    moves = ramp(
        torch.maximum(width, height) - torch.minimum(width, height).clamp_max(WOBBLE), 3.0, 7.0
    )
    sideways = ramp(width / (width + height).clamp_min(1e-6), 0.4, 0.6)
    returns = 1 - ramp(dy.abs() / path["path"].clamp_min(1e-6), 0.55, 0.85)
    vertical = moves * (1 - sideways)
    right, below = (path["dx"] > 0).float(), (dy > 0).float()
    motion = [
        moves * sideways * (1 - right),
        moves * sideways * right,
        vertical * (1 - returns) * (1 - below),
        vertical * (1 - returns) * below,
        vertical * returns,
        1 - moves,
    ]
    return torch.stack(motion, -1)


def _bounces(y: torch.Tensor) -> torch.Tensor:
    """The number of bounces that fits heights `(B, T)` best: `(B,)`."""
    number = torch.linspace(BOUNCES[0] - 0.2, BOUNCES[1] + 0.2, 121, device=y.device)
    time = torch.linspace(0, 1, y.shape[1], device=y.device)
    arcs = torch.sin(torch.pi * number[:, None] * time).abs()
    arcs = arcs - arcs.mean(1, keepdim=True)
    match = ((y.mean(1, keepdim=True) - y) @ arcs.T) / arcs.norm(dim=1)
    return number[match.argmax(1)]


def _turns(video: torch.Tensor, sprite: Sprite, radius: torch.Tensor) -> torch.Tensor:
    """The number of turns whose angles fit the white hand best, which starts upright: `(B,)`."""
    reach = (0.6 * radius)[:, None, None, None]
    white = ramp(video.amin(2), 0.3, 0.6) * (sprite.distance_squared < reach.square())
    right = (white * sprite.across).sum((-1, -2))
    up = -(white * sprite.down).sum((-1, -2))
    number = torch.linspace(0, TURNS[1] + 0.15, 141, device=video.device)
    time = torch.linspace(0, 1, video.shape[1], device=video.device)
    angle = 2 * torch.pi * number[:, None] * time
    length = torch.hypot(right, up).clamp_min(1e-6)
    match = (right / length) @ angle.sin().T + (up / length) @ angle.cos().T
    return number[match.argmax(1)]


def _speed(measured: dict[str, torch.Tensor]) -> torch.Tensor:
    """The degree of speed, `(B,)`, of which each kind of motion has a ruler of its own."""
    translation = ramp(torch.maximum(measured["width"], measured["height"]), *PATH)
    bounces, turns = ramp(measured["bounces"], *BOUNCES), ramp(measured["turns"], *TURNS)
    by_motion = torch.stack([translation] * 4 + [bounces, turns], -1)
    return (by_motion * measured["motion"]).sum(-1)
