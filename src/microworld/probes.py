"""Judges of microworld clips: they read the seven attributes from pixels, and no method under test
ever sees them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from microworld.attributes import END, HUE_WIDTH, HUES, WORDS
from microworld.renderer import (
    BOUNCES,
    FRAMES,
    PATH,
    RADIUS,
    SIZE,
    SKY_DAY,
    SKY_NIGHT,
    TURNS,
)
from microworld.renderer import GROUND_COLOURS as GROUND_COLOURS
from transporter.networks.frozen import frozen
from transporter.support.errors import UserError
from transporter.support.files import written_whole

CONFIG, WEIGHTS = "config.json", "model.safetensors"
CLIPS_AT_ONCE = 32
SOURCES: Mapping[str, str] = {**dict.fromkeys(WORDS, "analytic"), "shape": "mean", "size": "mean"}
"""Which judge reads which attribute, by what each got wrong on 200 rendered clips and on their
reconstructions by the VAE.

The rulers err least on all but two: corners and edges are what a reconstruction blurs. Shapes named
right by rulers, classifier and their mean: rendered clips 100, 99, 100 %, of combinations held out
from training 100, 92, 100 %; reconstructed clips 94, 97, 98 %, of held-out combinations 87, 85, 91
%. For the size the mean takes a third off the rulers' error on reconstructions.
"""
HORIZON = 35
"""The highest horizon, in rows from the top."""
LIGHT_NIGHT = (0.33, 0.36, 0.50)
APART = (0.15, 0.3)
"""Soft threshold of the distance in RGB between the sprite and the landscape's colour in its row.
"""
SOFT = 0.2
"""The sprite begins half-way from the landscape's chroma to the sprite's, give or take this share.
"""
SPARSE = 4
"""Every fourth frame is enough for what stands still."""
REACH = 19.0
"""No part of a sprite is farther from its centre, in pixels."""
WOBBLE = 7.0
"""Pixels forgiven in both directions together: a turning triangle's coloured inside circles round
its pivot.
"""
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
STRIDE = 2
"""The classifier sees every second frame: the quickest spin turns 36 degrees between them, so
nothing aliases.
"""


def _checked(video: torch.Tensor) -> torch.Tensor:
    """The clips as they are; both judges know one format only."""
    expected = (FRAMES, 3, SIZE, SIZE)
    if video.ndim != 5 or tuple(video.shape[1:]) != expected:
        raise UserError(
            f"probes: expected clips of shape (B, *{expected}), got {tuple(video.shape)}; read them"
            " in that size"
        )
    return video


def _at_share(values: torch.Tensor, share: float) -> torch.Tensor:
    """The quantile of the last axis without interpolation (`torch.quantile` refuses large
    batches).
    """
    return values.kthvalue(max(1, round(share * values.shape[-1])), dim=-1).values


def _circular_probabilities(hue: torch.Tensor) -> torch.Tensor:
    """`Attributes.probabilities("colour")` for hues `(B,)`: `(B, 4)`."""
    named = torch.as_tensor(HUES, dtype=hue.dtype, device=hue.device)
    upper = torch.searchsorted(named, hue.contiguous(), right=True) % len(named)
    lower = (upper - 1) % len(named)
    gap = (named[upper] - named[lower]) % 1.0
    share = (((hue - named[lower]) % 1.0 - HUE_WIDTH) / (gap - 2 * HUE_WIDTH)).clamp(0, 1)
    result = hue.new_zeros(len(hue), len(named)).scatter_(1, lower[:, None], (1 - share)[:, None])
    return result.scatter_add_(1, upper[:, None], share[:, None])


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
    sectors = torch.stack(
        [(green - blue) / chroma, 2 + (blue - red) / chroma, 4 + (red - green) / chroma], -1
    )
    return sectors.gather(-1, where[..., None])[..., 0] / 6 % 1.0


def _last_shown(shows: torch.Tensor) -> torch.Tensor:
    """For each frame the latest that shows the sprite, or the first that ever does: `(B, T)` bool
    to `(B, T)` indices.
    """
    index = torch.arange(shows.shape[1], device=shows.device)
    latest = torch.where(shows, index, 0).cummax(1).values
    return torch.maximum(latest, shows.int().argmax(1, keepdim=True))


class AnalyticProbes:
    """Measures a clip with rulers instead of weights.

    The sprite is what is more colourful than the landscape: its chroma (largest minus smallest
    channel) is 0.69 to 0.81, that of sky, ground, sun and moon at most 0.54. The threshold lies
    between the two as found in each clip, so that pale or blurred clips work too.
    """

    def measure(self, video: torch.Tensor) -> dict[str, torch.Tensor]:
        """Clips `(B, T, 3, H, W)` in [0, 1] to measurements, in pixels, unless said otherwise.

        `hue` (B,) in [0, 1); `x`, `y` (B, T) centroids; `dx`, `dy` (B,) displacement; `width`,
        `height` (B,) of the path's box; `path` (B,) vertical way there and back; `radius` (B,);
        `corners` (B, 2) strength of three and of four corners; `turns`, `bounces` (B,) best fitting
        numbers; `time` (B,) degree of daylight; `ground` (B, 3) colour of the ground by daylight;
        `shape` (B, 3), `motion` (B, 6) probabilities; `size`, `speed` (B,) degrees.

        Raises:
            UserError: other than 3 channels of 64 x 64 pixels.
        """
        video = _checked(video).float()
        by_row = video[:, ::SPARSE].permute(0, 3, 1, 4, 2).flatten(2, 3)  # (B, H, T' * W, 3)
        rows = by_row.median(dim=2).values
        measured = self._landscape(rows)
        sprite = self._sprite(video, rows)
        measured |= {"hue": self._sprite_hue(video, sprite["mask"])}
        measured |= self._shape(sprite)
        measured["turns"] = self._turns(video, sprite, measured["radius"])
        measured |= self._motion(sprite["x"], sprite["y"])
        translation = _ramp(torch.maximum(measured["width"], measured["height"]), *PATH)
        by_kind = torch.stack(
            [translation] * 4
            + [_ramp(measured["bounces"], *BOUNCES), _ramp(measured["turns"], *TURNS)],
            -1,
        )
        measured["speed"] = (by_kind * measured["motion"]).sum(-1)
        return measured | {"x": sprite["x"], "y": sprite["y"]}

    def probabilities(self, video: torch.Tensor) -> dict[str, torch.Tensor]:
        """How well each word of `attributes.WORDS` fits, per attribute `(B, n)`; rows sum to 1.

        Attributes with degrees follow the rule of `Attributes.probabilities`: linear between the
        named ends. So does the ground between its three named colours. Shape and motion are soft
        thresholds, 0 and 1 away from them.
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
        """Daylight from the sky's rows, and the ground's colour with light and shade taken out;
        `rows` `(B, H, 3)`.
        """
        night, day = (
            torch.as_tensor(sky, dtype=rows.dtype, device=rows.device)
            for sky in (SKY_NIGHT, SKY_DAY)
        )
        depth = (torch.arange(HORIZON - 2, device=rows.device) + 0.5)[:, None] / (HORIZON + 3.5)
        dark, bright = (torch.lerp(sky[0], sky[1], depth) for sky in (night, day))
        span = bright - dark
        time = (
            (((rows[:, : len(depth)] - dark) * span).sum(-1) / span.square().sum(-1))
            .median(dim=1)
            .values.clamp(0, 1)
        )
        light = torch.lerp(
            rows.new_tensor(LIGHT_NIGHT), torch.ones(3, device=rows.device), time[:, None]
        )
        low = torch.arange(HORIZON + 9, SIZE, device=rows.device)
        shade = 1 - 0.18 * (low + 0.5 - HORIZON - 3.5) / (SIZE - HORIZON - 3.5)
        ground = (rows[:, low] / shade[:, None]).median(dim=1).values / light
        return {"time": time, "ground": ground}

    @staticmethod
    def _ground_probabilities(ground: torch.Tensor) -> torch.Tensor:
        """Shares of the three named colours that mix the ground's colour best: `(B, 3)` to
        `(B, 3)`.
        """
        named = ground.new_tensor([GROUND_COLOURS[word] for word in WORDS["ground"]])
        system = torch.cat([named.T, torch.ones(1, 3, device=ground.device)])
        target = torch.cat([ground, torch.ones(len(ground), 1, device=ground.device)], 1)
        shares = (target @ torch.linalg.pinv(system).T).clamp_min(0)
        return shares / shares.sum(1, keepdim=True).clamp_min(1e-6)

    @staticmethod
    def _sprite(video: torch.Tensor, rows: torch.Tensor) -> dict[str, torch.Tensor]:
        """The sprite's coloured inside.

        `mask` `(B, T, H, W)` in [0, 1]; its centroids `x`, `y` and its `area`, all `(B, T)`; every
        pixel's way from the centroid, `across` and `down`, `(B, T, H, W)`.
        """
        height, width = video.shape[-2:]
        chroma = video.amax(2) - video.amin(2)
        some = chroma[:, ::SPARSE]
        floor = _at_share(some.transpose(1, 2).flatten(2), 0.35)[:, None, :, None]
        peak = torch.maximum(_at_share(some.flatten(1), 0.994)[:, None, None, None], floor + 0.05)
        mask = ((chroma - floor) / (peak - floor)).sub(0.5 - SOFT).div(2 * SOFT).clamp(0, 1)
        apart = (video - rows.transpose(1, 2)[:, None, ..., None]).square().sum(2).sqrt()
        mask = mask * _ramp(apart, *APART)
        columns, lines = (torch.arange(n, device=video.device) + 0.5 for n in (width, height))

        def middle(along: torch.Tensor) -> torch.Tensor:
            """The weighted median: specks elsewhere do not move it."""
            total = along.cumsum(-1)
            return (total < 0.5 * total[..., -1:]).sum(-1) + 0.5

        x, y = middle(mask.sum(-2)), middle(mask.sum(-1))
        near = (
            (columns - x[..., None])[:, :, None].square()
            + (lines - y[..., None])[..., None].square()
        ) < REACH**2
        mask = mask * near
        area = mask.sum((-1, -2))
        x = (mask.sum(-2) * columns).sum(-1) / area.clamp_min(1e-6)
        y = (mask.sum(-1) * lines).sum(-1) / area.clamp_min(1e-6)
        shown = _last_shown(area > 1)
        x, y = x.gather(1, shown), y.gather(1, shown)
        across = (columns - x[..., None])[:, :, None].expand_as(mask)
        down = (lines - y[..., None])[..., None].expand_as(mask)
        return {"mask": mask, "x": x, "y": y, "area": area, "across": across, "down": down}

    @staticmethod
    def _sprite_hue(video: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        inside = (mask * (mask > 0.5)).flatten(1)[:, None]
        colour = (video.transpose(1, 2).flatten(2) * inside).sum(-1) / inside.sum(-1).clamp_min(
            1e-6
        )
        return _hue(colour)

    @staticmethod
    def _motion(x: torch.Tensor, y: torch.Tensor) -> dict[str, torch.Tensor]:
        """Displacement, extent, the best number of bounces, and the soft class of the motion."""
        dx, dy = x[:, -1] - x[:, 0], y[:, -1] - y[:, 0]
        width, height = (p.amax(1) - p.amin(1) for p in (x, y))
        path = y.diff(dim=1).abs().sum(1)
        moves = _ramp(
            torch.maximum(width, height) - torch.minimum(width, height).clamp_max(WOBBLE), 3.0, 7.0
        )
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
        """Corners from the angular harmonics of the filled inside; the radius from its area, which
        depends on the shape.
        """
        square = sprite["across"].square() + sprite["down"].square()
        rough = (sprite["area"] / 2.2).clamp_min(1).sqrt()[..., None, None]
        filled = torch.where(square < (0.45 * rough).square(), 1.0, sprite["mask"]) * (
            square < (1.6 * rough).square()
        )
        offset = torch.complex(sprite["across"], sprite["down"]) / rough
        twice, square = offset * offset, square / rough.square()

        def harmonic(power: torch.Tensor, length: torch.Tensor) -> torch.Tensor:
            strength = (filled * power).sum((-1, -2)).abs() / (filled * length).sum(
                (-1, -2)
            ).clamp_min(1e-6)
            return strength.median(dim=1).values

        three, four = (
            harmonic(twice * offset, square * square.sqrt()),
            harmonic(twice * twice, square.square()),
        )
        triangle = _ramp(three, *TRIANGLE_FROM)
        square_like = (1 - triangle) * _ramp(four, *SQUARE_FROM)
        shape = torch.stack([1 - triangle - square_like, square_like, triangle], -1)
        area = filled.sum((-1, -2)).median(dim=1).values
        area_of_unit, offset, slope = area.new_tensor(RADIUS_FIT).unbind(-1)
        radius = ((offset + slope * (area[:, None] / area_of_unit).sqrt()) * shape).sum(-1)
        return {
            "corners": torch.stack([three, four], -1),
            "shape": shape,
            "radius": radius,
            "size": _ramp(radius, *RADIUS),
        }

    @staticmethod
    def _turns(
        video: torch.Tensor, sprite: dict[str, torch.Tensor], radius: torch.Tensor
    ) -> torch.Tensor:
        """The number of turns whose angles fit the white hand best, which starts upright:
        `(B,)`.
        """
        reach = (0.6 * radius)[:, None, None, None]
        white = _ramp(video.amin(2), 0.3, 0.6) * (
            sprite["across"].square() + sprite["down"].square() < reach.square()
        )
        right, up = (
            (white * sprite["across"]).sum((-1, -2)),
            -(white * sprite["down"]).sum((-1, -2)),
        )
        number = torch.linspace(0, TURNS[1] + 0.15, 141, device=video.device)
        angle = (
            2
            * torch.pi
            * number[:, None]
            * torch.linspace(0, 1, video.shape[1], device=video.device)
        )
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
    """A small 3-D network with one head per attribute; each sample is normalised alone, so a batch
    does not matter.
    """

    def __init__(
        self,
        widths: Sequence[int] = (48, 64, 72),
        mix: int = 12,
        hidden: int = 128,
        frames: int = 9,
        size: int = SIZE,
    ) -> None:
        super().__init__()
        first, second, third = widths
        self.settings = {
            "widths": list(widths),
            "mix": mix,
            "hidden": hidden,
            "frames": frames,
            "size": size,
        }
        grid = torch.linspace(-1, 1, size)
        rows, columns = torch.meshgrid(grid, grid, indexing="ij")
        self.register_buffer(
            "position", torch.stack([columns, rows])[None, :, None], persistent=False
        )
        self.conv_in = nn.Conv3d(5, first, (1, 6, 6), (1, 4, 4), (0, 1, 1))
        self.norm_in = nn.GroupNorm(8, first)
        self.blocks = nn.Sequential(
            _Block(first, second, (1, 2, 2)),
            _Block(second, third, (2, 2, 2)),
            _Block(third, third, (1, 1, 1)),
        )
        cells = -(-frames // 2) * (size // 16) ** 2
        self.squeeze = nn.Sequential(
            nn.Conv3d(third, mix, 1), nn.Flatten(), nn.Linear(mix * cells, hidden), nn.GELU()
        )
        self.head = nn.ModuleDict(
            {name: nn.Linear(hidden, len(words)) for name, words in WORDS.items()}
        )

    def features(self, frames: torch.Tensor) -> torch.Tensor:
        """Every `STRIDE`-th frame of a clip `(B, T', 3, H, W)` in [0, 1] to what all heads read,
        `(B, hidden)`.
        """
        hidden = frames.transpose(1, 2) * 2 - 1
        position = self.position.expand(len(hidden), -1, hidden.shape[2], -1, -1)
        hidden = nn.functional.gelu(self.norm_in(self.conv_in(torch.cat([hidden, position], 1))))
        return self.squeeze(self.blocks(hidden))

    def forward(self, frames: torch.Tensor) -> dict[str, torch.Tensor]:
        """Every `STRIDE`-th frame of a clip `(B, T', 3, H, W)` in [0, 1] to logits `(B, n)` per
        attribute.
        """
        features = self.features(frames)
        return {name: layer(features) for name, layer in self.head.items()}


class Probes:
    """The judge that evaluation uses: for each attribute the ruler, the classifier, or the mean of
    both, as `SOURCES` says.
    """

    def __init__(
        self,
        classifier: Classifier,
        sources: Mapping[str, str] = SOURCES,
        device: torch.device | None = None,
    ) -> None:
        self.classifier = frozen(classifier, device or torch.device("cpu"))
        self.analytic, self.sources, self.device = (
            AnalyticProbes(),
            dict(sources),
            device or torch.device("cpu"),
        )

    @property
    def vocabulary(self) -> dict[str, tuple[str, ...]]:
        """Attribute to its words, in the order of the probabilities."""
        return dict(WORDS)

    @torch.no_grad()
    def probabilities(self, video: torch.Tensor) -> dict[str, torch.Tensor]:
        """Clips `(B, T, 3, H, W)` in [0, 1] to attribute -> `(B, n)`, in the order of
        `attributes.WORDS`; rows sum to 1.

        Raises:
            UserError: clips of another size than the microworld's.
        """
        parts = [self._part(part.to(self.device)) for part in _checked(video).split(CLIPS_AT_ONCE)]
        return {name: torch.cat([part[name] for part in parts]) for name in WORDS}

    @torch.no_grad()
    def features(self, video: torch.Tensor) -> torch.Tensor:
        """The classifier's features of clips `(B, T, 3, H, W)` in [0, 1], for a Fréchet distance:
        `(B, 128)`.

        Raises:
            UserError: clips of another size than the microworld's.
        """
        parts = _checked(video).split(CLIPS_AT_ONCE)
        return torch.cat(
            [self.classifier.features(part[:, ::STRIDE].float().to(self.device)) for part in parts]
        )

    def words(self, video: torch.Tensor) -> list[dict[str, str]]:
        """The best fitting word of every attribute, for each clip of `(B, T, 3, H, W)`."""
        best = {
            name: values.argmax(1).tolist() for name, values in self.probabilities(video).items()
        }
        return [{name: WORDS[name][best[name][row]] for name in WORDS} for row in range(len(video))]

    def _part(self, video: torch.Tensor) -> dict[str, torch.Tensor]:
        read = {"analytic": self.analytic.probabilities(video)}
        read["classifier"] = {
            k: v.softmax(1) for k, v in self.classifier(video[:, ::STRIDE].float()).items()
        }
        read["mean"] = {
            name: (read["analytic"][name] + read["classifier"][name]) / 2 for name in WORDS
        }
        return {name: read[self.sources[name]][name] for name in WORDS}

    def save_pretrained(self, folder: str | os.PathLike[str]) -> None:
        """Write `config.json` and `model.safetensors` (half precision) into `folder`; it appears
        whole or not at all.
        """
        with written_whole(folder) as partial:
            partial.mkdir()
            config = {"classifier": self.classifier.settings, "sources": self.sources}
            (partial / CONFIG).write_text(json.dumps(config, indent=1) + "\n")
            weights = {
                name: value.half().contiguous().cpu()
                for name, value in self.classifier.state_dict().items()
            }
            save_file(weights, partial / WEIGHTS)

    @classmethod
    def from_pretrained(
        cls, folder: str | os.PathLike[str], device: torch.device | None = None
    ) -> Probes:
        """Read what `save_pretrained` wrote.

        Raises:
            UserError: `folder` lacks a file, or names a source that does not exist.
        """
        folder = Path(folder)
        for name in (CONFIG, WEIGHTS):
            if not (folder / name).is_file():
                raise UserError(
                    f"{folder}: expected a trained probe, found no {name}; train one or point"
                    " `probes` elsewhere"
                )
        config = json.loads((folder / CONFIG).read_text())
        sources = config["sources"]
        if set(sources) != set(WORDS) or not set(sources.values()) <= {
            "analytic",
            "classifier",
            "mean",
        }:
            raise UserError(
                f"{folder / CONFIG}: expected analytic, classifier or mean for {', '.join(WORDS)},"
                f" got {sources}"
            )
        classifier = Classifier(**config["classifier"])
        classifier.load_state_dict(
            {name: value.float() for name, value in load_file(folder / WEIGHTS).items()}
        )
        return cls(classifier, sources, device)
