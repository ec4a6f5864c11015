"""A map laid over its clip, with its scale."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from matplotlib import colormaps
from matplotlib.colors import to_hex
from PIL import Image, ImageDraw

from transporter.figures.theme import MAP

LEAST = 256
"""Height of an overlay in pixels, at least: words must be readable."""
BAR, MARGIN = 14, 46
"""Widths in pixels of the scale and of the space that it stands in."""
OPACITY = 0.65
SHEET_OPACITY = (0.4, 0.8)
"""Of the least and of the highest token of a sheet, which a page can take away."""


def over_frames(maps: torch.Tensor, frames: int) -> torch.Tensor:
    """Maps of latent frames `(F, ...)` for every frame of the clip, `(frames, ...)`: of a causal
    VAE the first stands for one frame, the others for equally many.
    """
    latent = len(maps)
    index = torch.arange(frames) * latent // frames
    if latent > 1 and (frames - 1) % (latent - 1) == 0:
        each = (frames - 1) // (latent - 1)
        index = (torch.arange(frames) + each - 1) // each
    return maps[index]


def overlay(video: torch.Tensor, maps: torch.Tensor) -> torch.Tensor:
    """A clip `(T, 3, H, W)` in [0, 1] under a map `(F, h, w)` of one scale for all frames, with
    that scale at the right: `(T, 3, H', W')`.

    The colours read the same to colour-blind eyes and in grey.
    """
    zoom = -(-LEAST // video.shape[2])
    clip = video.cpu().repeat_interleave(zoom, 2).repeat_interleave(zoom, 3)
    height, width = clip.shape[-2:]
    maps = over_frames(maps.cpu().float(), len(clip))
    low, high = (float(end) for end in maps.aminmax())
    level = (maps - low) / max(high - low, torch.finfo(maps.dtype).tiny)
    level = F.interpolate(level[:, None], (height, width), mode="bilinear").clamp(0, 1)
    blended = torch.lerp(clip, _coloured(level[:, 0]), OPACITY * level)
    scale = _scale(height, low, high).expand(len(clip), -1, -1, -1)
    whole = torch.cat([blended, scale], 3)
    return F.pad(whole, (0, whole.shape[3] % 2, 0, whole.shape[2] % 2))


def sheet(maps: torch.Tensor, low: float, high: float) -> Image.Image:
    """Maps `(P, F, h, w)` on a scale from `low` to `high` as one picture to lay over clips, a token
    a pixel: a row of F frames for each of the P.
    """
    level = ((maps - low) / max(high - low, 1e-9)).clamp(0, 1)
    # (P, F, h, w) to (P h, F w)
    level = level.permute(0, 2, 1, 3).flatten(0, 1).flatten(1, 2).cpu()
    low, high = SHEET_OPACITY
    opacity = low + (high - low) * level[..., None]
    rgba = torch.cat([_coloured(level[None])[0].movedim(0, -1), opacity], 2)
    return Image.fromarray((rgba.numpy() * 255).round().astype(np.uint8), "RGBA")


def scale_colours(count: int = 9) -> list[str]:
    """The scale of a `sheet` from its least to its highest, as colours of a page."""
    colours = colormaps[MAP](np.linspace(0, 1, count))[:, :3]
    return [to_hex(colour) for colour in colours]


def _coloured(level: torch.Tensor) -> torch.Tensor:
    """`(T, H, W)` in [0, 1] to `(T, 3, H, W)`."""
    return torch.from_numpy(colormaps[MAP](level.numpy())[..., :3]).float().movedim(-1, 1)


def _scale(height: int, low: float, high: float) -> torch.Tensor:
    """A bar of all colours, the highest at the top, and its ends in numbers: `(3, H, W)`."""
    levels = torch.linspace(1, 0, height)[None, :, None].expand(1, height, BAR)
    picture = Image.new("RGB", (BAR + MARGIN, height), "white")
    colours = (_coloured(levels)[0].movedim(0, -1).numpy() * 255).round().astype(np.uint8)
    picture.paste(Image.fromarray(colours), (4, 0))
    draw = ImageDraw.Draw(picture)
    draw.text((BAR + 8, 2), f"{high:.2g}", fill="black")
    draw.text((BAR + 8, height - 14), f"{low:.2g}", fill="black")
    return torch.from_numpy(np.array(picture)).float().movedim(-1, 0) / 255
