"""Reading clips: the frames that are shown at given times, in the size that a model takes."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch

from transporter.clips.clip import Clip, Reader
from transporter.clips.container import Deadline
from transporter.clips.decoders import (
    Contradiction,
    av_pictures,
    decord_pictures,
    decord_reader,
)
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
    path, window, deadline = Path(path), window or Window(), Deadline()
    try:
        packets = read_packets(path, deadline)
        timeline = packets.timeline()
        if timeline is not None:
            try:
                return _read(path, timeline, size, fps, window, fit, deadline)
            except Contradiction:
                pass
        timeline = decoded_timeline(path, packets, deadline)
        return _read(path, timeline, size, fps, window, fit, deadline)
    except Contradiction:
        raise VideoError(f"{path}: cannot be decoded: twice it gives other frames") from None
    except VideoError as error:
        raise VideoError(f"{path}: {error}") from None


def _read(
    path: Path,
    timeline: Timeline,
    size: tuple[int, int, int],
    fps: float | None,
    window: Window,
    fit: Fit,
    deadline: Deadline,
) -> Clip:
    frames, height, width = size
    numbers = window.choose(timeline, frames, fps)
    reader, pictures = _pictures(path, timeline, numbers, deadline)
    made = {
        number: fitted(picture, height, width, fit, aspect)
        for number, (picture, aspect) in zip(np.unique(numbers), pictures, strict=True)
    }
    times = timeline.times[numbers]
    step = window.step(frames, fps) or (times[-1] - times[0]) / max(frames - 1, 1)
    video = torch.stack([made[number] for number in numbers])  # (T, C, H, W)
    return Clip(video, times, float(frames * step), reader)


def _pictures(
    path: Path, timeline: Timeline, numbers: np.ndarray, deadline: Deadline
) -> tuple[Reader, Iterable[tuple[np.ndarray, float]]]:
    """The pictures of the frames `numbers`, without doubles, and who decodes them."""
    decord = decord_reader(path, timeline, deadline)
    if decord is not None:
        return "decord", decord_pictures(decord, numbers, deadline)
    return "av", av_pictures(path, timeline, numbers, deadline)
