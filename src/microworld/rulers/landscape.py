"""The scene: how light it is, and what the ground is."""

from __future__ import annotations

import torch

from microworld.attributes import WORDS
from microworld.renderer import GROUND_COLOURS, SIZE, SKY_DAY, SKY_NIGHT

HORIZON = 35
"""The highest horizon, in rows from the top."""
LIGHT_NIGHT = (0.33, 0.36, 0.50)
SPARSE = 4
"""Every fourth frame is enough for what stands still."""


def row_colours(video: torch.Tensor) -> torch.Tensor:
    """The landscape's colour in each row, the median over time and width: clips
    `(B, T, 3, H, W)` to `(B, H, 3)`.
    """
    by_row = video[:, ::SPARSE].permute(0, 3, 1, 4, 2).flatten(2, 3)  # (B, H, T' * W, 3)
    return by_row.median(dim=2).values


def daylight(rows: torch.Tensor) -> torch.Tensor:
    """Degree of daylight in [0, 1] from the sky's rows: `(B, H, 3)` to `(B,)`."""
    night, day = (
        torch.as_tensor(sky, dtype=rows.dtype, device=rows.device) for sky in (SKY_NIGHT, SKY_DAY)
    )
    depth = (torch.arange(HORIZON - 2, device=rows.device) + 0.5)[:, None] / (HORIZON + 3.5)
    dark, bright = (torch.lerp(sky[0], sky[1], depth) for sky in (night, day))
    span = bright - dark
    by_row = ((rows[:, : len(depth)] - dark) * span).sum(-1) / span.square().sum(-1)
    return by_row.median(dim=1).values.clamp(0, 1)


def ground_colour(rows: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
    """The ground's colour with light and shade taken out: rows `(B, H, 3)` and daylight `(B,)` to
    `(B, 3)`.
    """
    light = torch.lerp(
        rows.new_tensor(LIGHT_NIGHT), torch.ones(3, device=rows.device), time[:, None]
    )
    low = torch.arange(HORIZON + 9, SIZE, device=rows.device)
    shade = 1 - 0.18 * (low + 0.5 - HORIZON - 3.5) / (SIZE - HORIZON - 3.5)
    return (rows[:, low] / shade[:, None]).median(dim=1).values / light


def ground_probabilities(ground: torch.Tensor) -> torch.Tensor:
    """Shares of the three named colours that mix the ground's colour best: `(B, 3)` to
    `(B, 3)`.
    """
    colours = ground.new_tensor([GROUND_COLOURS[word] for word in WORDS["ground"]])
    system = torch.cat([colours.T, torch.ones(1, 3, device=ground.device)])
    target = torch.cat([ground, torch.ones(len(ground), 1, device=ground.device)], 1)
    shares = (target @ torch.linalg.pinv(system).T).clamp_min(0)
    return shares / shares.sum(1, keepdim=True).clamp_min(1e-6)
