"""A long clip in several windows, each explained alone, with a page that lists them."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import jinja2

from transporter import __version__
from transporter.clips.contrast import Concept
from transporter.clips.reading import read_clip, seconds_of
from transporter.clips.window import Window, spread_starts
from transporter.explainer.clip_edits import Where
from transporter.explainer.counterfactual import Counterfactual
from transporter.explainer.explainer import Explainer
from transporter.explainer.folder import NUMBERS, PAGE, numbers_of, write_explanation
from transporter.explainer.one_clip import ExplainedClip, explain_clip
from transporter.explainer.page import embedded
from transporter.explainer.speed import refuse_spread
from transporter.figures.theme import SOURCE, TARGET
from transporter.support.errors import UserError
from transporter.support.files import written_whole

TEMPLATE = Path(__file__).with_suffix(".html")


@dataclass(frozen=True)
class Request:
    """What is asked about which video: the arguments of `Explainer.explain`."""

    path: Path
    concept: Concept
    caption: str | None
    phi: tuple[float, ...]
    seed: int
    where: Where | None = None


@dataclass(frozen=True)
class ExplainedWindow:
    """What was found in one window.

    Attributes:
        begin, end: its seconds.
        clip: None where the window cannot be explained, for the `reason`.
        details: as for `explainer.page.page`.
    """

    begin: float
    end: float
    clip: ExplainedClip | None
    reason: str = ""
    details: Mapping[str, str] = field(default_factory=dict)

    @property
    def found(self) -> Counterfactual | None:
        return None if self.clip is None else self.clip.found

    @property
    def seconds(self) -> str:
        return f"{self.begin:.2f} to {self.end:.2f} s"

    @property
    def verdict(self) -> str:
        """In a sentence or two, what was found."""
        return f"left out: {self.reason}" if self.clip is None else self.clip.verdict


def windows(end: float, first: Window, frames: int, fps: float, most: int) -> list[Window]:
    """At most `most` windows, 0 for as many as fit, that lie side by side, evenly from the `first`
    to the `end` of a clip; the first alone where frames are spread over the whole clip.
    """
    seconds = first.length(frames, fps)
    if most == 1 or seconds is None:
        return [first]
    starts = spread_starts(end, first.start, seconds, most or math.ceil(end / seconds))
    return [Window(start, first.seconds) for start in starts]


def explain_windows(
    explainer: Explainer, request: Request, start: float | None, most: int
) -> Iterator[ExplainedWindow]:
    """Explain at most `most` windows of a video from `start` on, by default as the settings say.

    Raises:
        UserError: the video cannot be read; it is asked about speed and the windows do not keep it;
            or its only window cannot be explained.
    """
    generator, reading = explainer.generator, explainer.reading
    frames, fps = generator.video_shape[0], generator.fps
    first = Window(reading.start if start is None else start, reading.seconds)
    refuse_spread(request.concept, first, frames, fps)
    parts = [first] if most == 1 else windows(seconds_of(request.path), first, frames, fps, most)
    for part in parts:
        try:
            yield _explained(explainer, request, part)
        except UserError as error:
            if len(parts) == 1:
                raise
            length = part.length(frames, fps) or 0.0
            yield ExplainedWindow(part.start, part.start + length, None, str(error))


def _explained(explainer: Explainer, request: Request, window: Window) -> ExplainedWindow:
    frames, _, height, width = explainer.generator.video_shape
    fps, fit = explainer.generator.fps, explainer.reading.fit
    read = read_clip(request.path, (frames, height, width), fps, window, fit)
    clip = explain_clip(
        explainer,
        read.video,
        request.concept,
        request.caption,
        request.phi,
        request.seed,
        fps,
        request.where,
    )
    begin = float(read.times[0])
    made = {
        "video": request.path.name,
        "seconds": f"{begin:.2f} to {begin + read.seconds:.2f}",
        "frames": f"{frames} of {width} x {height}, made to fit by {fit}",
        "generator": type(explainer.generator).__name__,
        "VLM": type(explainer.vlm).__name__,
        "question": request.concept.question,
        "caption": clip.found.caption,
        "seed": str(request.seed),
        "transporter": __version__,
    }
    return ExplainedWindow(begin, begin + read.seconds, clip, "", made)


def write_windows(
    folder: str | os.PathLike[str], request: Request, explained: Sequence[ExplainedWindow]
) -> None:
    """Write the explanation of a single window into `folder`; of several each into `00`, `01`, ...,
    a page that shows all of them, and `NUMBERS`. `folder` appears whole or not at all.

    Raises:
        UserError: no window can be explained.
    """
    if not any(window.clip for window in explained):
        raise UserError(f"{request.path}: no window can be explained: {explained[0].reason}")
    first = explained[0]
    if len(explained) == 1 and first.clip:
        write_explanation(folder, first.clip, first.details)
        return
    numbers = []
    with written_whole(folder) as partial:
        partial.mkdir(parents=True)
        for place, window in enumerate(explained):
            entry: dict[str, object] = {"begin": window.begin, "end": window.end}
            if window.clip is None:
                numbers.append(entry | {"left_out": window.reason})
                continue
            write_explanation(partial / f"{place:02}", window.clip, window.details)
            numbers.append(entry | {"folder": f"{place:02}"} | numbers_of(window.clip.found))
        text = json.dumps({"windows": numbers}, indent=2, ensure_ascii=False) + "\n"
        (partial / NUMBERS).write_text(text, encoding="utf-8")
        (partial / PAGE).write_text(page(request, explained), encoding="utf-8")


def page(request: Request, explained: Sequence[ExplainedWindow]) -> str:
    """HTML that lists the windows by their seconds, with clip and edit inside."""
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    return template.render(
        name=request.path.name,
        question=request.concept.question,
        rows=[{"window": window, "clips": _clips(window)} for window in explained],
        flips=sum(bool(window.found and window.found.flip) for window in explained),
        source_colour=SOURCE,
        target_colour=TARGET,
    )


def _clips(window: ExplainedWindow) -> dict[str, str]:
    """A window's clip and its edit, as addresses that hold them."""
    found = window.found
    clips = {} if found is None else {"clip": found.clip, "edited": found.edited}
    return {name: embedded(video, found.fps) for name, video in clips.items()} if found else {}
