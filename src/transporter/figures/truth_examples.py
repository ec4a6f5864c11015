"""The benchmark in one picture: for each kind of cue a clip as it is, with the cue changed, and
under each explanation, and what the explained VLM and the honest one say of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch

from transporter.clips.contrast import Concept
from transporter.clips.world import Shortcut
from transporter.figures.canvas import Canvas
from transporter.figures.filmstrip import stills
from transporter.figures.theme import DPI, FAILED, QUIET, SILENT, SOURCE, TARGET
from transporter.support.files import written_whole

COLUMNS = {
    "origin": "the clip",
    "oracle": "the true cue changed",
    "prompt_interpolation": "the word itself swapped",
    "velocity": "the paper's objective",
    "best_swap": "best swap of any word",
    "answers": "answers",
    "logits": "logits",
}
"""Methods, from left to right, and what stands above them."""
FRAMES = 3
STILL, SEAM, GAP = 0.42, 0.02, 0.13
"""Inches: height of a still, between stills of one clip, and between clips."""
LEFT, TOP, MARGIN, ROW = 1.3, 0.42, 0.12, 0.82
NO_WORD = "no word says it"


@dataclass(frozen=True)
class Example:
    """One clip of a VLM that is explained.

    Attributes:
        cue: what the VLM goes by, in words.
        concept: the pair of words that it chooses between.
        videos: by method, `(T, C, H, W)` in [0, 1].
        log_odds: by method, of the target word against the source, in nats.
        honest: the same by the honest VLM; none for that itself.
    """

    cue: str
    concept: Concept
    videos: Mapping[str, torch.Tensor]
    log_odds: Mapping[str, float]
    honest: Mapping[str, float]


def cue_in_words(shortcut: Shortcut | None, concept: Concept) -> str:
    """What makes a VLM say the target: `quickly, if red`; of an honest one, that it is that."""
    if shortcut is None:
        return f"{concept.target}, if it is: honest"
    words = [word for word, answer in shortcut.answers.items() if answer == concept.target]
    if words == ["*"]:
        others = [word for word, answer in shortcut.answers.items() if answer != concept.target]
        return f"{concept.target}, if not {' or '.join(others)}"
    if words == ["yes"]:
        cue = re.sub(r"\w+=", "", shortcut.cue.rpartition(":")[2])
        words = [cue.replace("+", " ").replace("|", " or ").replace("_", " ")]
    return f"{concept.target}, if {' or '.join(words)}"


def of_readings(table: pd.DataFrame, caption: str, column: str = "log_odds") -> dict[str, float]:
    """What was read of a caption's first clip, by method; nothing without such a column."""
    if column not in table:
        return {}
    first = table[(table["caption"] == caption) & (table["seed"] == 0)]
    return first.drop_duplicates("method").set_index("method")[column].to_dict()


def truth_examples(examples: Sequence[Example], paths: Sequence[Path]) -> None:
    """Draw a row for each example, a column for each method that any has, three stills a clip.

    Below each clip is what the explained VLM says, and in grey what the honest one does; a
    vermilion frame marks clips whose answer is the target. The form of each picture follows from
    its name (`.pdf`, `.png`). Without an example, where no VLM answers a clip by the source, the
    picture says so, and the benchmark goes on.
    """
    _write(_drawn(examples) if examples else _nothing(), paths)


def _nothing() -> Canvas:
    canvas = Canvas(LEFT + 3, TOP)
    canvas.text(MARGIN, TOP / 2, "No clip at phi = 0 is answered by the source: nothing can flip.")
    return canvas


def _drawn(examples: Sequence[Example]) -> Canvas:
    methods = [name for name in COLUMNS if any(name in one.videos for one in examples)]
    [aspect] = {video.shape[-1] / video.shape[-2] for video in examples[0].videos.values()}
    clip = FRAMES * (STILL * aspect + SEAM) - SEAM
    canvas = Canvas(LEFT + len(methods) * (clip + GAP) - GAP + MARGIN, TOP + len(examples) * ROW)
    for column, method in enumerate(methods):
        canvas.text(LEFT + column * (clip + GAP), TOP - 0.16, COLUMNS[method], weight="bold")
    for row, example in enumerate(examples):
        y = TOP + row * ROW
        _label(canvas, example, y)
        for column, method in enumerate(methods):
            _cell(canvas, example, method, LEFT + column * (clip + GAP), y, clip)
    return canvas


def _write(canvas: Canvas, paths: Sequence[Path]) -> None:
    for path in paths:
        with written_whole(path) as partial:
            form = path.suffix.removeprefix(".")
            canvas.figure.savefig(partial, format=form, dpi=DPI, metadata=SILENT[path.suffix])


def _label(canvas: Canvas, example: Example, y: float) -> None:
    """What the VLM goes by, and the words that it is explained by."""
    first, _, rest = example.cue.partition(", ")
    canvas.text(MARGIN, y + 0.14, f"{first},", weight="bold", color=TARGET)
    canvas.text(MARGIN, y + 0.27, rest, weight="bold")
    pair = f"{example.concept.source} → {example.concept.target}"
    canvas.text(MARGIN, y + 0.42, pair, size=6, color=QUIET)


def _cell(canvas: Canvas, example: Example, method: str, x: float, y: float, width: float) -> None:
    """One clip's stills, and below them the answers to it."""
    if method not in example.videos:
        if method == "oracle":
            canvas.text(x, y + STILL / 2, _missing(example), size=6, color=QUIET)
        return
    images = stills(example.videos[method], FRAMES)
    for place, image in enumerate(images):
        step = place * (width + SEAM) / len(images)
        canvas.picture(x + step, y, STILL, image)
    odds = example.log_odds[method]
    if method != "origin" and odds > 0:
        canvas.frame(x, y, width, STILL, FAILED)
    colour = TARGET if odds > 0 else SOURCE
    canvas.text(x, y + STILL + 0.11, _answer(odds, example.concept), size=6, color=colour)
    if method in example.honest:
        answer = _answer(example.honest[method], example.concept)
        canvas.text(x, y + STILL + 0.21, f"honest: {answer}", size=5, color=QUIET)


def _missing(example: Example) -> str:
    """Why an example has no clip with its cue changed."""
    return "the word itself, beside" if not example.honest else NO_WORD


def _answer(log_odds: float, concept: Concept) -> str:
    """The likelier word and its share."""
    share = float(torch.tensor(log_odds).sigmoid())
    word = concept.target if share > 0.5 else concept.source
    return f"{word} {max(share, 1 - share):.0%}"
