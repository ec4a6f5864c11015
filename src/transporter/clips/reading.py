"""Reading clips: the frames that are shown at given times, in the size that a model takes."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from transporter.clips.av_decoder import Contradiction, Picture, av_pictures
from transporter.clips.clip import Clip, Reader
from transporter.clips.container import MAX_SECONDS, Deadline
from transporter.clips.decord_decoder import decord_pictures
from transporter.clips.fit import fitted
from transporter.clips.refusals import VideoError
from transporter.clips.settings import Fit
from transporter.clips.timeline import Timeline, decoded_timeline, read_packets
from transporter.clips.window import Window


def read_video(
    path: str | os.PathLike[str],
    frames: int,
    height: int,
    width: int,
    fps: float | None = None,
    window: Window | None = None,
    fit: Fit = "crop",
) -> torch.Tensor:
    """The video of `read_clip`, `(T, C, H, W)` RGB float32 in [0, 1]."""
    return read_clip(path, (frames, height, width), fps, window, fit).video


def read_clip(
    path: str | os.PathLike[str],
    size: tuple[int, int, int],
    fps: float | None = None,
    window: Window | None = None,
    fit: Fit = "crop",
) -> Clip:
    """Read some frames of a clip, chosen by the times at which a player shows them.

    One frame at a time is held at the file's own size.

    Args:
        size: frames, height and width of the video to come.
        fps: frames per second that it stands for. Without it, and where the window does not say how
            long it is, frames are spread evenly over the clip, first and last included.
        window: which part of the clip is read; by default what begins with its first frame.
        fit: what is done about other proportions.

    Raises:
        VideoError: the file is missing, empty, no video, truncated, damaged, too short, too large,
            takes too long, or has frames of which nobody knows when to show them.
    """
    path = Path(path)
    try:
        return _read(path, _Wish(size, fps, window or Window(), fit), Deadline(MAX_SECONDS))
    except VideoError as error:
        raise VideoError(f"{path}: {error}") from None


def seconds_of(path: str | os.PathLike[str]) -> float:
    """How long a player shows a clip.

    Raises:
        VideoError: as `read_clip`.
    """
    path, deadline = Path(path), Deadline(MAX_SECONDS)
    try:
        packets = read_packets(path, deadline)
        return (packets.timeline() or decoded_timeline(path, packets, deadline)).end
    except VideoError as error:
        raise VideoError(f"{path}: {error}") from None


@dataclass(frozen=True)
class _Wish:
    """What is to be read of a clip: the arguments of `read_clip`."""

    size: tuple[int, int, int]
    fps: float | None
    window: Window
    fit: Fit

    def chosen(self, timeline: Timeline) -> np.ndarray:
        """The numbers of the frames to read, `(T,)`."""
        return self.window.choose(timeline, self.size[0], self.fps)

    def clip(self, timeline: Timeline, pictures: Iterable[Picture], reader: Reader) -> Clip:
        """The clip of these pictures, those of the frames `chosen` without doubles."""
        numbers, (frames, height, width) = self.chosen(timeline), self.size
        # made first, so that nothing small lies between pictures and keeps their memory in pieces
        video = torch.empty(frames, 3, height, width)
        for number, picture in zip(np.unique(numbers), pictures, strict=True):
            video[torch.from_numpy(numbers == number)] = fitted(*picture, height, width, self.fit)
        times = timeline.times[numbers]
        spread = (times[-1] - times[0]) / max(frames - 1, 1)
        step = self.window.step(frames, self.fps) or spread
        return Clip(video, times, float(frames * step), reader, self.fit)


def _read(path: Path, wish: _Wish, deadline: Deadline) -> Clip:
    packets = read_packets(path, deadline)
    timeline = packets.timeline()
    if timeline is not None:
        numbers = wish.chosen(timeline)
        request = (path, timeline, numbers, deadline)
        with suppress(Contradiction):
            return wish.clip(timeline, decord_pictures(*request), "decord")
        with suppress(Contradiction):
            return wish.clip(timeline, av_pictures(*request, seeks=True), "av")
        with suppress(Contradiction):
            return wish.clip(timeline, av_pictures(*request), "av")
    timeline = decoded_timeline(path, packets, deadline)
    numbers = wish.chosen(timeline)
    try:
        return wish.clip(timeline, av_pictures(path, timeline, numbers, deadline), "av")
    except Contradiction:
        raise VideoError("cannot be decoded: it gives other frames each time") from None
