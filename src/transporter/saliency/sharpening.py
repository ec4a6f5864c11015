"""Maps finer than the generator's tokens: clips shifted by parts of a token, their maps shifted
back and averaged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F

from transporter.clips.world import Placed
from transporter.generators.base import Generator
from transporter.saliency.benchmark import BATCH, maps_of, scene
from transporter.saliency.scoring import covered
from transporter.saliency.settings import MapSettings, ReadingSettings


def shifted(video: torch.Tensor, down: int, right: int) -> torch.Tensor:
    """`(..., H, W)` moved by whole pixels; what leaves one side is replaced by the other's edge."""
    height, width = video.shape[-2:]
    rows = (torch.arange(height) - down).clamp(0, height - 1)
    columns = (torch.arange(width) - right).clamp(0, width - 1)
    return video[..., rows, :][..., columns]


def upsampled(maps: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Maps `(B, K, F, h, w)` at pixels, `(B, K, F, height, width)`, bilinear."""
    flat = F.interpolate(maps.flatten(0, 1), (height, width), mode="bilinear")
    return flat.unflatten(0, maps.shape[:2])


def pixel_truth(generator: Generator, clips: Sequence[Placed]) -> torch.Tensor:
    """Where each kind of word is in most of a latent frame, `(B, K, F, H, W)` bool."""
    masks = torch.stack([torch.stack([*clip.masks.values()]) for clip in clips])
    grid = (generator.block_grid[0], *masks.shape[-2:])
    return covered(masks.flatten(0, 1), grid).unflatten(0, masks.shape[:2]) > 0.5


def sharpened(
    generator: Generator,
    clips: Sequence[Placed],
    settings: MapSettings,
    reading: ReadingSettings,
    shifts: int,
    seed: int = 0,
    at_once: int = BATCH,
) -> torch.Tensor:
    """The mean of maps of clips that are shifted by `shifts` steps of a token along each side, at
    pixels: `(B, K + 1, F, H, W)`. One step is no shift.
    """
    height, width = clips[0].video.shape[-2:]
    rows, columns = generator.block_grid[1:]
    total = torch.zeros(())
    for down in _steps(height // rows, shifts):
        for right in _steps(width // columns, shifts):
            moved = [replace(clip, video=shifted(clip.video, down, right)) for clip in clips]
            found = scene(generator, moved, at_once)
            [maps] = maps_of(generator, found, {"": settings}, reading, seed, at_once).values()
            total = total + shifted(upsampled(maps, height, width), -down, -right)
    return total / shifts**2


def _steps(token: int, shifts: int) -> list[int]:
    """Around no shift, within a token."""
    return [round((step - (shifts - 1) / 2) * token / shifts) for step in range(shifts)]
