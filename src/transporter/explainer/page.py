"""The page of one explained clip: a single file that loads nothing."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import jinja2
import matplotlib as mpl
import torch

from transporter.clips.writing import write_video
from transporter.explainer.counterfactual import Counterfactual
from transporter.explainer.one_clip import TOLD, ExplainedClip
from transporter.figures.theme import MAP, SOURCE, TARGET

WIDTH, HEIGHT, MARGIN = 420, 180, 34
"""Of the curve, in pixels."""
TEMPLATE = Path(__file__).with_suffix(".html")


def page(clip: ExplainedClip, details: Mapping[str, str]) -> str:
    """HTML with the clips inside; `details` is what the page says of how it was made, by name."""
    found, words, other, where = clip.found, clip.words, clip.other, clip.where
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    readings = found.readings.to_dict("records")
    clips = [embedded(video, found.fps) for video in found.video]
    shown = found.difference.max().item()
    return template.render(
        found=found,
        source_colour=SOURCE,
        target_colour=TARGET,
        rows=[row | {"clip": clip} for row, clip in zip(readings, clips, strict=True)],
        clip=embedded(found.clip, found.fps),
        edited=embedded(found.edited, found.fps),
        difference=embedded(heat(found.difference), found.fps),
        where=None if where is None else embedded(where, found.fps),
        largest=f"{shown:.2f}",
        curve=curve(found),
        words=[] if words is None else words.head(TOLD).to_dict("records"),
        swapped=[] if clip.swapped is None else [embedded(one, found.fps) for one in clip.swapped],
        details=details,
        other=other,
        other_edited=None if other is None else embedded(other.edited, other.fps),
    )


def heat(difference: torch.Tensor) -> torch.Tensor:
    """A map in [0, 1], `(T, H, W)`, in colours, its largest value the brightest:
    `(T, C, H, W)`.
    """
    shares = difference / difference.max().clamp(min=1e-6)
    colours = mpl.colormaps[MAP](shares.numpy())[..., :3]
    return torch.from_numpy(colours).float().permute(0, 3, 1, 2)


def embedded(video: torch.Tensor, fps: float) -> str:
    """A clip `(T, C, H, W)` as an address that holds it."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "clip.mp4")
        write_video(path, video, fps)
        return "data:video/mp4;base64," + base64.b64encode(path.read_bytes()).decode()


def curve(found: Counterfactual) -> dict[str, object]:
    """Where the log-odds are drawn: `points` `(x, y)` of the strengths, `zero` the height at which
    both words are as likely, and `flip`, the least flip's place, if there is one.
    """
    odds = found.log_odds.tolist()
    low, high = min(0.0, *odds), max(0.0, *odds)
    span = max(high - low, 1e-6)
    first, last = found.phi[0], found.phi[-1]

    def place(phi: float, value: float) -> tuple[float, float]:
        x = MARGIN + (WIDTH - 2 * MARGIN) * (phi - first) / (last - first)
        y = HEIGHT - MARGIN - (HEIGHT - 2 * MARGIN) * (value - low) / span
        return round(x, 1), round(y, 1)

    points = [place(phi, value) for phi, value in zip(found.phi, odds, strict=True)]
    flip = None if found.flip is None else place(found.flip.phi, found.flip.log_odds)
    return {
        "points": points,
        "zero": place(first, 0.0)[1],
        "flip": flip,
        "width": WIDTH,
        "height": HEIGHT,
        "margin": MARGIN,
        "low": f"{low:.1f}",
        "high": f"{high:.1f}",
    }
