"""Draw the moving pictures of the docs from a finished default run:
`python docs/make_strips.py [results] [docs/pictures]`.

Every clip is one of the run's, whose settings have `seed: 1`. Captions were chosen among those
whose clips have no fault, where there are some; `limits.md` says how often they have.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import font_manager
from PIL import Image, ImageDraw, ImageFont

from transporter.clips.contrast import Concept, read_concepts
from transporter.clips.reading import read_video

ROOT = Path(__file__).resolve().parents[1]
SEEDS = {
    "red_blue": 6,
    "green_yellow": 5,
    "small_large": 8,
    "circle_square": 4,
    "slowly_quickly": 5,
    "left_right": 6,
    "up_down": 2,
    "bounces_spins": 4,
    "day_night": 2,
    "grass_snow": 6,
    "sand_grass": 5,
    "snow_sand": 8,
}
FIRST_PAGE = ("circle_square", "up_down", "small_large", "day_night")
"""What the README shows."""
FRAMES, SIZE, FPS = 17, 64, 8
CELL, GAP, HEAD, FOOT = 128, 8, 22, 18
"""Pixels: a clip twice as large as it is, the space between two, the words above and below."""
INK, SOURCE, TARGET = "#1c1f24", "#4f6375", "#a82a72"
HOLD = 600
"""Milliseconds that the last frame stays."""


@cache
def font(size: int, weight: str = "normal") -> ImageFont.FreeTypeFont:
    properties = font_manager.FontProperties(family="DejaVu Sans", weight=weight)
    return ImageFont.truetype(font_manager.findfont(properties), size)


def _sweep(readings: pd.DataFrame, concept: str) -> pd.DataFrame:
    """The rows of one concept's chosen seed, phi rising."""
    ours = readings["method"].eq("transporter") & readings["concept"].eq(concept)
    chosen = readings[ours & readings["seed"].eq(SEEDS[concept])]
    return chosen.sort_values("phi")


def _clip(results: Path, row: pd.Series) -> np.ndarray:
    """One clip, `(T, H, W, 3)` bytes, enlarged."""
    folder = results / "generation" / row["generator"] / row["vlm"] / row["concept"]
    video = read_video(folder / row["clip"], FRAMES, SIZE, SIZE)
    pixels = (video * 255).round().byte().permute(0, 2, 3, 1).numpy()
    return np.stack([_enlarged(frame) for frame in pixels])


def _enlarged(frame: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(frame).resize((CELL, CELL), Image.Resampling.BICUBIC))


def _frame(clips: Sequence[np.ndarray], concept: Concept, rows: pd.DataFrame, t: int) -> Image:
    """One moment of a sweep: words above, clips, and how sure the VLM is of the target."""
    width = len(clips) * (CELL + GAP) - GAP
    page = Image.new("RGB", (width, HEAD + CELL + FOOT), "white")
    pen = ImageDraw.Draw(page)
    pen.text((0, 1), concept.source, SOURCE, font(14, "bold"))
    pen.text((width, 1), concept.target, TARGET, font(14, "bold"), anchor="ra")
    for column, (clip, row) in enumerate(zip(clips, rows.itertuples(), strict=True)):
        left = column * (CELL + GAP)
        page.paste(Image.fromarray(clip[t]), (left, HEAD))
        share = 1 / (1 + np.exp(-row.log_odds))
        pen.text((left, HEAD + CELL + 3), f"phi {row.phi:g}", INK, font(11))
        says = f"VLM {share * 100:.0f} %"
        pen.text((left + CELL, HEAD + CELL + 3), says, INK, font(11), anchor="ra")
    return page


def strip(results: Path, readings: pd.DataFrame, concept: Concept) -> list[Image.Image]:
    """A sweep of phi as the frames of a moving picture."""
    rows = _sweep(readings, concept.name)
    clips = [_clip(results, row) for _, row in rows.iterrows()]
    return [_frame(clips, concept, rows, t) for t in range(FRAMES)]


def stacked(strips: Sequence[Sequence[Image.Image]]) -> list[Image.Image]:
    """Several strips, one below the other."""
    frames = []
    for parts in zip(*strips, strict=True):
        rows = [np.asarray(part) for part in parts]
        frames.append(Image.fromarray(np.concatenate(rows)))
    return frames


def write(path: Path, frames: Sequence[Image.Image]) -> None:
    """A looping WebP."""
    durations = [round(1000 / FPS)] * (len(frames) - 1) + [HOLD]
    options = {"save_all": True, "append_images": frames[1:], "duration": durations, "loop": 0}
    frames[0].save(path, quality=72, method=4, **options)
    print(f"{path} {path.stat().st_size / 1000:.0f} kB")


def main(results: Path, folder: Path) -> None:
    """One strip per concept, and the README's."""
    readings = pd.read_csv(results / "evaluation/readings.tsv", sep="\t")
    concepts = {concept.name: concept for concept in read_concepts(ROOT / "config/concepts.tsv")}
    strips = {name: strip(results, readings, concepts[name]) for name in SEEDS}
    folder.mkdir(parents=True, exist_ok=True)
    for name, frames in strips.items():
        write(folder / f"{name}.webp", frames)
    write(folder / "strips.webp", stacked([strips[name] for name in FIRST_PAGE]))


if __name__ == "__main__":
    given = [Path(argument) for argument in sys.argv[1:]]
    main(*given, *(ROOT / "results", ROOT / "docs/pictures")[len(given) :])
