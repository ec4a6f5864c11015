"""Judges of microworld clips: they read the seven attributes from pixels, and no method under test ever sees them."""

from __future__ import annotations

import torch
from torch import nn

from transporter.errors import UserError
from transporter.microworld.attributes import END, HUE_WIDTH, HUES, WORDS
from transporter.microworld.renderer import _GROUND as GROUND
from transporter.microworld.renderer import _SKY_DAY as SKY_DAY
from transporter.microworld.renderer import _SKY_NIGHT as SKY_NIGHT
from transporter.microworld.renderer import BOUNCES, FRAMES, OUTLINE, PATH, RADIUS, SIZE, TURNS

HORIZON = 35
"""The highest horizon, in rows from the top."""
LIGHT_NIGHT = (0.33, 0.36, 0.50)
REACH = 19.0
"""No part of a sprite is farther from its centre, in pixels."""
TRIANGLE_FROM, SQUARE_FROM = (0.12, 0.20), (0.20, 0.32)
STRIDE = 2
"""The classifier sees every second frame: the quickest spin turns 56 degrees between them, so nothing aliases."""


def _check(video: torch.Tensor) -> None:
    """Both judges know one format only."""
    expected = (FRAMES, 3, SIZE, SIZE)
    if video.ndim != 5 or tuple(video.shape[1:]) != expected:
        raise UserError(f"probes: expected clips (B, {', '.join(map(str, expected))}), got {tuple(video.shape)}; read them in that size")


def _at_share(values: torch.Tensor, share: float) -> torch.Tensor:
    """The quantile of the last axis without interpolation (`torch.quantile` refuses large batches)."""
    return values.kthvalue(max(1, round(share * values.shape[-1])), dim=-1).values


def _circular_probabilities(hue: torch.Tensor) -> torch.Tensor:
    """`Attributes.probabilities("colour")` for hues `(B,)`: `(B, 4)`."""
    named = torch.as_tensor(HUES, dtype=hue.dtype, device=hue.device)
    upper = torch.searchsorted(named, hue.contiguous(), right=True) % len(named)
    lower = (upper - 1) % len(named)
    gap = (named[upper] - named[lower]) % 1.0
    share = (((hue - named[lower]) % 1.0 - HUE_WIDTH) / (gap - 2 * HUE_WIDTH)).clamp(0, 1)
    return torch.zeros(len(hue), len(named), dtype=hue.dtype, device=hue.device).scatter_(1, lower[:, None], (1 - share)[:, None]).scatter_add_(
        1, upper[:, None], share[:, None]
    )


def _degree_probabilities(degree: torch.Tensor) -> torch.Tensor:
    """`Attributes.probabilities` of an attribute with two ends: `(B,)` to `(B, 2)`."""
    high = ((degree - END) / (1 - 2 * END)).clamp(0, 1)
    return torch.stack([1 - high, high], -1)


def _ramp(value: torch.Tensor, low: float, high: float) -> torch.Tensor:
    return ((value - low) / (high - low)).clamp(0, 1)


def _hue(rgb: torch.Tensor) -> torch.Tensor:
    """Hue in [0, 1) of colours `(..., 3)`, by the hexagon that `colorsys` uses."""
    high, where = rgb.max(-1)
    chroma = (high - rgb.min(-1).values).clamp_min(1e-6)
    red, green, blue = rgb.unbind(-1)
    sectors = torch.stack([(green - blue) / chroma, 2 + (blue - red) / chroma, 4 + (red - green) / chroma], -1)
    return sectors.gather(-1, where[..., None])[..., 0] / 6 % 1.0


class AnalyticProbe:
    """Measures a clip with rulers instead of weights.

    The sprite is what is more colourful than the landscape: its chroma (largest minus smallest channel) is 0.69 to 0.81, that of
    sky, ground, sun and moon at most 0.54. The threshold lies between the two as found in each clip, so that pale or blurred clips
    work too.
    """

    def measure(self, video: torch.Tensor) -> dict[str, torch.Tensor]:
        """Clips `(B, T, 3, H, W)` in [0, 1] to measurements, in pixels, unless said otherwise.

        `hue` (B,) in [0, 1); `x`, `y` (B, T) centroids; `dx`, `dy` (B,) displacement; `width`, `height` (B,) of the path's box;
        `path` (B,) vertical way there and back; `radius` (B,); `corners` (B, 2) strength of three and of four corners;
        `turns`, `bounces` (B,) best fitting numbers; `time` (B,) degree of daylight; `ground` (B, 3) colour of the ground by daylight;
        `shape` (B, 3), `motion` (B, 6) probabilities; `size`, `speed` (B,) degrees.

        Raises:
            UserError: other than 3 channels of 64 x 64 pixels.
        """
        _check(video)
        video = video.float()
        rows = video.transpose(2, 3).transpose(1, 2)  # (B, H, T, 3, W)
        rows = rows.transpose(-1, -2).flatten(2, 3).median(dim=2).values  # (B, H, 3)
        measured = self._landscape(rows)
        sprite = self._sprite(video)
        measured |= {"hue": self._sprite_hue(video, sprite["mask"])}
        measured |= self._motion(sprite["x"], sprite["y"])
        measured |= self._shape(sprite)
        measured["turns"] = self._turns(video, sprite, measured["radius"])
        translation = _ramp(torch.maximum(measured["width"], measured["height"]), *PATH)
        by_kind = torch.stack([translation] * 4 + [_ramp(measured["bounces"], *BOUNCES), _ramp(measured["turns"], *TURNS)], -1)
        measured["speed"] = (by_kind * measured["motion"]).sum(-1)
        return measured | {"x": sprite["x"], "y": sprite["y"]}

    def probabilities(self, video: torch.Tensor) -> dict[str, torch.Tensor]:
        """How well each word of `attributes.WORDS` fits, per attribute `(B, n)`; rows sum to 1.

        Attributes with degrees follow the rule of `Attributes.probabilities`: linear between the named ends. So does the ground
        between its three named colours. Shape and motion are soft thresholds, 0 and 1 away from them.
        """
        measured = self.measure(video)
        return {
            "shape": measured["shape"],
            "colour": _circular_probabilities(measured["hue"]),
            "size": _degree_probabilities(measured["size"]),
            "motion": measured["motion"],
            "speed": _degree_probabilities(measured["speed"]),
            "ground": self._ground_probabilities(measured["ground"]),
            "time": _degree_probabilities(measured["time"]),
        }

    @staticmethod
    def _landscape(rows: torch.Tensor) -> dict[str, torch.Tensor]:
        """Daylight from the sky's rows, and the ground's colour with light and shade taken out; `rows` `(B, H, 3)`."""
        night, day = (torch.as_tensor(sky, dtype=rows.dtype, device=rows.device) for sky in (SKY_NIGHT, SKY_DAY))
        depth = (torch.arange(HORIZON - 2, device=rows.device) + 0.5)[:, None] / (HORIZON + 3.5)
        dark, bright = (torch.lerp(sky[0], sky[1], depth) for sky in (night, day))
        span = bright - dark
        time = (((rows[:, : len(depth)] - dark) * span).sum(-1) / span.square().sum(-1)).median(dim=1).values.clamp(0, 1)
        light = torch.lerp(rows.new_tensor(LIGHT_NIGHT), torch.ones(3, device=rows.device), time[:, None])
        low = torch.arange(HORIZON + 9, SIZE, device=rows.device)
        shade = 1 - 0.18 * (low + 0.5 - HORIZON - 3.5) / (SIZE - HORIZON - 3.5)
        ground = (rows[:, low] / shade[:, None]).median(dim=1).values / light
        return {"time": time, "ground": ground}

    @staticmethod
    def _ground_probabilities(ground: torch.Tensor) -> torch.Tensor:
        """Shares of the three named colours that mix the ground's colour best: `(B, 3)` to `(B, 3)`."""
        named = ground.new_tensor([GROUND[word] for word in WORDS["ground"]])
        system = torch.cat([named.T, torch.ones(1, 3, device=ground.device)])
        target = torch.cat([ground, torch.ones(len(ground), 1, device=ground.device)], 1)
        shares = (target @ torch.linalg.pinv(system).T).clamp_min(0)
        return shares / shares.sum(1, keepdim=True).clamp_min(1e-6)

    @staticmethod
    def _sprite(video: torch.Tensor) -> dict[str, torch.Tensor]:
        """The sprite's coloured inside: `mask` `(B, T, H, W)` in [0, 1], centroids `x`, `y` `(B, T)`, offsets from them, `area` `(B, T)`."""
        batch, frames, _, height, width = video.shape
        chroma = video.amax(2) - video.amin(2)
        by_row = chroma.transpose(1, 2).flatten(2)
        floor = _at_share(_at_share(by_row, 0.35), 1.0)
        peak = torch.maximum(_at_share(chroma.flatten(1), 0.994), floor + 0.05)
        threshold = (floor + 0.5 * (peak - floor))[:, None, None, None]
        soft = (0.2 * (peak - floor))[:, None, None, None]
        mask = ((chroma - threshold) / (2 * soft) + 0.5).clamp(0, 1)
        columns, lines = (torch.arange(n, device=video.device) + 0.5 for n in (width, height))

        def middle(along: torch.Tensor) -> torch.Tensor:
            """The weighted median: specks elsewhere do not move it."""
            total = along.cumsum(-1)
            return (total < 0.5 * total[..., -1:]).sum(-1) + 0.5

        x, y = middle(mask.sum(-2)), middle(mask.sum(-1))
        near = ((columns - x[..., None])[:, :, None].square() + (lines - y[..., None])[..., None].square()) < REACH**2
        mask = mask * near
        area = mask.sum((-1, -2))
        x = torch.where(area > 1, (mask.sum(-2) * columns).sum(-1) / area.clamp_min(1), x)
        y = torch.where(area > 1, (mask.sum(-1) * lines).sum(-1) / area.clamp_min(1), y)
        across = (columns - x[..., None])[:, :, None].expand_as(mask)
        down = (lines - y[..., None])[..., None].expand_as(mask)
        return {"mask": mask, "x": x, "y": y, "area": area, "across": across, "down": down}

    @staticmethod
    def _sprite_hue(video: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        inside = (mask * (mask > 0.5)).flatten(1)[:, None]
        colour = (video.transpose(1, 2).flatten(2) * inside).sum(-1) / inside.sum(-1).clamp_min(1e-6)
        return _hue(colour)

    @staticmethod
    def _motion(x: torch.Tensor, y: torch.Tensor) -> dict[str, torch.Tensor]:
        """Displacement, extent, the best number of bounces, and the soft class of the motion."""
        dx, dy = x[:, -1] - x[:, 0], y[:, -1] - y[:, 0]
        width, height = (p.amax(1) - p.amin(1) for p in (x, y))
        path = y.diff(dim=1).abs().sum(1)
        moves = _ramp(torch.maximum(width, height), 3.0, 7.0)
        sideways = _ramp(width / (width + height).clamp_min(1e-6), 0.4, 0.6)
        returns = 1 - _ramp(dy.abs() / path.clamp_min(1e-6), 0.55, 0.85)
        vertical = moves * (1 - sideways)
        right, below = (dx > 0).float(), (dy > 0).float()
        motion = [
            moves * sideways * (1 - right),
            moves * sideways * right,
            vertical * (1 - returns) * (1 - below),
            vertical * (1 - returns) * below,
            vertical * returns,
            1 - moves,
        ]
        number = torch.linspace(BOUNCES[0] - 0.2, BOUNCES[1] + 0.2, 121, device=y.device)
        time = torch.linspace(0, 1, y.shape[1], device=y.device)
        arcs = torch.sin(torch.pi * number[:, None] * time).abs()
        arcs = arcs - arcs.mean(1, keepdim=True)
        match = ((y.mean(1, keepdim=True) - y) @ arcs.T) / arcs.norm(dim=1)
        return {
            "dx": dx, "dy": dy, "width": width, "height": height, "path": path,
            "bounces": number[match.argmax(1)], "motion": torch.stack(motion, -1),
        }  # fmt: skip

    @staticmethod
    def _shape(sprite: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Corners from the angular harmonics of the filled inside; the radius from its area, which depends on the shape."""
        square = sprite["across"].square() + sprite["down"].square()
        rough = (sprite["area"] / 2.2).clamp_min(1).sqrt()[..., None, None]
        filled = torch.where(square < (0.45 * rough).square(), 1.0, sprite["mask"]) * (square < (1.6 * rough).square())
        offset = torch.complex(sprite["across"], sprite["down"]) / rough
        corners = []
        for order in (3, 4):
            harmonic = (filled * offset**order).sum((-1, -2)).abs() / (filled * offset.abs() ** order).sum((-1, -2)).clamp_min(1e-6)
            corners.append(harmonic.median(dim=1).values)
        three, four = corners
        triangle = _ramp(three, *TRIANGLE_FROM)
        square_like = (1 - triangle) * _ramp(four, *SQUARE_FROM)
        shape = torch.stack([1 - triangle - square_like, square_like, triangle], -1)
        area = filled.sum((-1, -2)).median(dim=1).values
        inside = area.clamp_min(0)[:, None] / area.new_tensor([torch.pi, 4.0, 27**0.5])
        inner = area.new_tensor([1.0, 0.86, 0.62])
        radius = (((inside.sqrt() + OUTLINE) / inner) * shape).sum(-1)
        return {"corners": torch.stack(corners, -1), "shape": shape, "radius": radius, "size": _ramp(radius, *RADIUS)}

    @staticmethod
    def _turns(video: torch.Tensor, sprite: dict[str, torch.Tensor], radius: torch.Tensor) -> torch.Tensor:
        """How far the white hand turns: the number of turns whose angles fit best, the hand starting upright."""
        reach = (0.6 * radius)[:, None, None, None]
        white = _ramp(video.amin(2), 0.3, 0.6) * (sprite["across"].square() + sprite["down"].square() < reach.square())
        right, up = (white * sprite["across"]).sum((-1, -2)), -(white * sprite["down"]).sum((-1, -2))
        number = torch.linspace(0, TURNS[1] + 0.15, 141, device=video.device)
        angle = 2 * torch.pi * number[:, None] * torch.linspace(0, 1, video.shape[1], device=video.device)
        length = torch.hypot(right, up).clamp_min(1e-6)
        match = (right / length) @ angle.sin().T + (up / length) @ angle.cos().T
        return number[match.argmax(1)]


class _Block(nn.Module):
    """3-D convolution, group normalisation, GELU, and a residual where the shape stays."""

    def __init__(self, inputs: int, outputs: int, stride: tuple[int, int, int]) -> None:
        super().__init__()
        self.conv = nn.Conv3d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm = nn.GroupNorm(8, outputs)
        self.keeps = inputs == outputs and stride == (1, 1, 1)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        result = nn.functional.gelu(self.norm(self.conv(hidden)))
        return hidden + result if self.keeps else result


class Classifier(nn.Module):
    """A small 3-D network with one head per attribute; each sample is normalised alone, so a batch does not matter."""

    def __init__(self, widths: tuple[int, int, int] = (48, 64, 72), mix: int = 12, hidden: int = 128, frames: int = 9, size: int = 64) -> None:
        super().__init__()
        first, second, third = widths
        self.settings = {"widths": list(widths), "mix": mix, "hidden": hidden, "frames": frames, "size": size}
        grid = torch.linspace(-1, 1, size)
        rows, columns = torch.meshgrid(grid, grid, indexing="ij")
        self.register_buffer("position", torch.stack([columns, rows])[None, :, None], persistent=False)
        self.conv_in = nn.Conv3d(5, first, (1, 6, 6), (1, 4, 4), (0, 1, 1))
        self.norm_in = nn.GroupNorm(8, first)
        self.blocks = nn.Sequential(
            _Block(first, second, (1, 2, 2)), _Block(second, third, (2, 2, 2)), _Block(third, third, (1, 1, 1))
        )
        cells = -(-frames // 2) * (size // 16) ** 2
        self.squeeze = nn.Sequential(nn.Conv3d(third, mix, 1), nn.Flatten(), nn.Linear(mix * cells, hidden), nn.GELU())
        self.head = nn.ModuleDict({name: nn.Linear(hidden, len(words)) for name, words in WORDS.items()})

    def forward(self, frames: torch.Tensor) -> dict[str, torch.Tensor]:
        """Every `STRIDE`-th frame of a clip `(B, T', 3, H, W)` in [0, 1] to logits `(B, n)` per attribute."""
        hidden = frames.transpose(1, 2) * 2 - 1
        position = self.position.expand(len(hidden), -1, hidden.shape[2], -1, -1)
        hidden = nn.functional.gelu(self.norm_in(self.conv_in(torch.cat([hidden, position], 1))))
        hidden = self.squeeze(self.blocks(hidden))
        return {name: layer(hidden) for name, layer in self.head.items()}
