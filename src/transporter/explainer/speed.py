"""Questions about speed, which frames of an unknown rate cannot answer."""

from __future__ import annotations

import re

from transporter.clips.contrast import Concept
from transporter.clips.window import Window
from transporter.support.errors import UserError

SPEED = frozenset(
    {"fast", "faster", "fastest", "quick", "quicker", "quickly", "rapid", "rapidly"}
    | {"slow", "slower", "slowest", "slowly", "speed", "speeds"}
)
"""A question or an answer with one of these words is about speed."""
CLOSE = 0.01
"""Share by which the rate may be off."""


def asks_speed(concept: Concept) -> bool:
    """Is the question about how fast something goes, by `SPEED`?"""
    text = f"{concept.question} {concept.source} {concept.target}".lower()
    return not SPEED.isdisjoint(re.findall(r"\w+", text))


def keeps_speed(window: Window, frames: int, fps: float) -> bool:
    """Does a window give a model that wants `fps` frames a second frames at that rate?"""
    step = window.step(frames, fps)
    return step is not None and abs(step * fps - 1) < CLOSE


def refuse_speed(concept: Concept, fps: float, given: str) -> None:
    """Raise a `UserError` for a question about speed; `given` says what is read in place of frames
    at the rate of the models, `fps`.
    """
    if asks_speed(concept):
        raise UserError(
            f"{concept.question!r} is about speed: expected frames of a known rate, {fps:g} a"
            f" second, got {given}"
        )


def refuse_spread(concept: Concept, window: Window, frames: int, fps: float) -> None:
    """Raise a `UserError` for a question about speed where a window spreads `frames` over more or
    less than their time at `fps` a second.
    """
    if not keeps_speed(window, frames, fps):
        refuse_speed(concept, fps, f"{frames} spread by clips.seconds; leave that out")
