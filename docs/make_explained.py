"""Draw explained clips for the docs: `python docs/make_explained.py [explanations] [explanations of
a planted VLM] [docs/pictures]`.

Three clips of the world and one of a VLM that was taught to go by the ground. Both folders are what
`snakemake explanations` makes with `explanations.clips: 1`; of the latter, `vlms.qwen2_vl.path`
names the weights that `plant` has made. The clips are drawn at random by the rule, none by looking.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from make_strips import CELL, FRAMES, GAP, INK, ROOT, SIZE, SOURCE, TARGET, font, stacked, write
from PIL import Image, ImageDraw

from transporter.clips.reading import read_video
from transporter.explainer.folder import CLIP, DIFFERENCE, EDITED, NUMBERS, OTHER, WHERE

WORLD, PLANTED = ("circle_square", "left_right", "grass_snow"), "day_night"
TAUGHT = "asked of a VLM that was taught to say day of snow"
OVERLAY = (256, 316)
"""Height and width of a clip under its map."""
HEAD, FOOT, SPACE = 24, 36, 12
WIDTH = 4 * (CELL + GAP) - GAP + CELL * OVERLAY[1] // OVERLAY[0] - CELL


class Cell(NamedTuple):
    """One clip of a row, the lines below it, and the colour of the second."""

    video: np.ndarray
    about: str
    says: str = ""
    colour: str = INK


def _clip(path: Path, size: tuple[int, int] = (SIZE, SIZE)) -> np.ndarray:
    """`(T, CELL, W, 3)` bytes, as wide as its proportions ask."""
    pixels = (read_video(path, FRAMES, *size) * 255).round().byte().permute(0, 2, 3, 1).numpy()
    shape = (CELL * size[1] // size[0], CELL)
    method = Image.Resampling.BICUBIC
    return np.stack([np.asarray(Image.fromarray(frame).resize(shape, method)) for frame in pixels])


def _answer(numbers: Mapping[str, Any], log_odds: float) -> tuple[str, str]:
    """What the VLM says, and the colour of that word."""
    share = 1 / (1 + np.exp(-abs(log_odds)))
    word, colour = (numbers["other"], TARGET) if log_odds > 0 else (numbers["answer"], SOURCE)
    return f"{word} {100 * share:.0f} %", colour


def _edit(video: np.ndarray, numbers: Mapping[str, Any]) -> Cell:
    """The least edit that flips the answer, or the largest that does not."""
    flip = numbers["flip"] or numbers["readings"][-1]
    says, colour = _answer(numbers, flip["log_odds"])
    about = f"{' to '.join(numbers['swap'])}, {flip['phi']:.2f}"
    return Cell(video, about, says, colour)


def _cells(folder: Path) -> Iterator[Cell]:
    numbers = json.loads((folder / NUMBERS).read_text(encoding="utf-8"))
    yield Cell(_clip(folder / CLIP), "the clip", *_answer(numbers, numbers["log_odds"]))
    yield _edit(_clip(folder / EDITED), numbers)
    changed = f"{100 * numbers['changed']:.0f} % of the pixels"
    yield Cell(_clip(folder / DIFFERENCE), "where it differs", changed)
    if "otherwise" in numbers:
        yield _edit(_clip(folder / OTHER), numbers["otherwise"])
    else:
        word = numbers["swap"][1]
        yield Cell(_clip(folder / WHERE, OVERLAY), "where the generator", f"sees {word}")


def _head(folder: Path, vlm: str) -> str:
    made = json.loads((folder / NUMBERS).read_text(encoding="utf-8"))["made"]
    return f"{made['question']} {vlm}".strip()


def row(folder: Path, vlm: str = "") -> list[Image.Image]:
    """One explained clip as the frames of a moving picture."""
    head, cells = _head(folder, vlm), list(_cells(folder))
    return [_frame(head, cells, t) for t in range(FRAMES)]


def _frame(head: str, cells: list[Cell], t: int) -> Image.Image:
    page = Image.new("RGB", (WIDTH, HEAD + CELL + FOOT + SPACE), "white")
    pen = ImageDraw.Draw(page)
    pen.text((0, 2), head, INK, font(13, "bold"))
    for column, cell in enumerate(cells):
        left = column * (CELL + GAP)
        page.paste(Image.fromarray(cell.video[t]), (left, HEAD))
        pen.text((left, HEAD + CELL + 3), cell.about, INK, font(11))
        pen.text((left, HEAD + CELL + 18), cell.says, cell.colour, font(11, "bold"))
    return page


def main(honest: Path, planted: Path, folder: Path) -> None:
    """One picture of four clips."""
    rows = [row(honest / concept / "00") for concept in WORLD]
    rows.append(row(planted / PLANTED / "00", TAUGHT))
    write(folder / "explained.webp", stacked(rows))


if __name__ == "__main__":
    given = [Path(argument) for argument in sys.argv[1:]]
    results = ROOT / "results/explanations/microworld/qwen2_vl"
    main(*given, *(results, results, ROOT / "docs/pictures")[len(given) :])
