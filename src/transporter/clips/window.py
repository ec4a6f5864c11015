"""Which frames of a clip are read: those that are shown at given times."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from transporter.clips.refusals import VideoError
from transporter.clips.timeline import PACE, Timeline

TOLERANCE = 6e-4
"""Seconds by which a time stamp may be late; some containers round them to thousandths."""


@dataclass(frozen=True)
class Window:
    """A part of a clip.

    Attributes:
        start: where it begins, in seconds from the first frame.
        seconds: how long it is; the frames that are read share it evenly. None: as many seconds as
            they last at the rate of the model that they are for. `all`: from the start to the last
            frame of the clip.
    """

    start: float = 0.0
    seconds: float | Literal["all"] | None = None

    def step(self, frames: int, fps: float | None) -> float | None:
        """Seconds between two frames that are read; None where they are spread over the clip."""
        if self.seconds == "all" or (self.seconds is None and fps is None):
            return None
        return 1 / fps if self.seconds is None else self.seconds / frames

    def length(self, frames: int, fps: float | None) -> float | None:
        """Seconds that so many frames last; None where they are spread over the clip."""
        step = self.step(frames, fps)
        return None if step is None else frames * step

    def choose(self, timeline: Timeline, frames: int, fps: float | None) -> np.ndarray:
        """The numbers of the frames to read, `(frames,)`.

        With a rate these are the ones that a player shows at `start`, `start` + 1 / `fps`, ...;
        otherwise they are spread evenly from `start` to the last frame, first and last included.

        Raises:
            VideoError: the clip ends before, or has too few frames to spread.
        """
        step = self.step(frames, fps)
        return (
            self._spread(timeline, frames) if step is None else self._timed(timeline, frames, step)
        )

    def _timed(self, timeline: Timeline, frames: int, step: float) -> np.ndarray:
        wanted = self.start + np.arange(frames) * step
        if wanted[-1] > max(timeline.times[-1] + TOLERANCE, timeline.end - TOLERANCE):
            beginning = f" from {self.start:g} s on" if self.start else ""
            raise VideoError(
                f"expected {frames * step:.4g} s of video{beginning}, for {frames} frames at"
                f" {1 / step:.4g} a second, got a clip of {timeline.end:.4g} s; take longer clips,"
                " or set clips.seconds to fewer seconds or to all"
            )
        return np.searchsorted(timeline.times, wanted + TOLERANCE, side="right") - 1

    def _spread(self, timeline: Timeline, frames: int) -> np.ndarray:
        first = np.searchsorted(timeline.times, self.start - TOLERANCE)
        times = timeline.times[first:]
        if len(times) < frames:
            beginning = f" from {self.start:g} s on" if self.start else ""
            raise VideoError(f"expected at least {frames} frames{beginning}, got {len(times)}")
        places = np.linspace(0, len(times) - 1, frames)
        if len(times) > 1 and np.ptp(np.diff(times)) > PACE:
            # the nearest in time; where frames come at equal steps this is the nearest by number
            wanted = np.linspace(times[0], times[-1], frames)
            places = np.interp(wanted, times, np.arange(len(times)))
        return first + places.round().astype(int)


def spread_starts(end: float, start: float, seconds: float, count: int) -> list[float]:
    """Where at most `count` windows begin that lie evenly over what a clip has from `start` to
    `end`, the last one at its end; in whole milliseconds.

    As many are taken as fit side by side, each `seconds` long, and one at least: a clip that is too
    short for it says so when it is read.
    """
    fitting = math.floor((end - start) / seconds + TOLERANCE)
    count = max(1, min(count, fitting))
    last = max(start, end - seconds) if count > 1 else start
    # rounded down, so that the last one still fits
    return [
        math.floor((start + number * (last - start) / max(count - 1, 1)) * 1000 + TOLERANCE) / 1000
        for number in range(count)
    ]
