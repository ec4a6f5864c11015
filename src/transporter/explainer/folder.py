"""The folder of one explained clip: its page, its clips, and every number."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from transporter.clips.writing import write_video
from transporter.explainer.counterfactual import Counterfactual
from transporter.explainer.one_clip import ExplainedClip
from transporter.explainer.page import heat, page
from transporter.support.files import write_table, written_whole

PAGE, NUMBERS, READINGS, WORDS = "page.html", "explanation.json", "readings.tsv", "words.tsv"
CLIP, EDITED, DIFFERENCE, OTHER = "clip.mp4", "edited.mp4", "difference.mp4", "otherwise.mp4"
WHERE = "where.mp4"
FILES = (PAGE, NUMBERS, READINGS, WORDS, CLIP, EDITED, DIFFERENCE, OTHER, WHERE)


def write_explanation(
    folder: str | os.PathLike[str], clip: ExplainedClip, details: Mapping[str, str]
) -> None:
    """Write `FILES` into `folder`, which appears whole or not at all; `WORDS`, `OTHER` and `WHERE`
    only where there are some. `details` are as for `page`.
    """
    found, other = clip.found, clip.other
    videos = {CLIP: found.clip, EDITED: found.edited, DIFFERENCE: heat(found.difference)}
    if other is not None:
        videos[OTHER] = other.edited
    if clip.where is not None:
        videos[WHERE] = clip.where
    with written_whole(folder) as partial:
        partial.mkdir(parents=True)
        for name, video in videos.items():
            write_video(partial / name, video, found.fps)
        write_table(found.readings, partial / READINGS)
        if clip.words is not None:
            write_table(clip.words, partial / WORDS)
        numbers = numbers_of(found) | {"made": dict(details)}
        if other is not None:
            numbers["otherwise"] = numbers_of(other)
        text = json.dumps(numbers, indent=2, ensure_ascii=False) + "\n"
        (partial / NUMBERS).write_text(text, encoding="utf-8")
        (partial / PAGE).write_text(page(clip, details), encoding="utf-8")


def numbers_of(found: Counterfactual) -> dict[str, Any]:
    """Every number, for JSON."""
    flip = found.flip
    return {
        "answer": found.concept.source,
        "other": found.concept.target,
        "log_odds": found.clip_log_odds,
        "swap": found.swap,
        "flip": None if flip is None else {"phi": flip.phi, "log_odds": flip.log_odds},
        "changed": found.changed,
        "lpips": found.lpips,
        "control_log_odds": found.control_log_odds,
        "verdict": found.verdict,
        "readings": found.readings.to_dict("records"),
    }
