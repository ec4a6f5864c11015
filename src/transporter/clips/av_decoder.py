"""The pictures of some frames of a clip, one after another, by PyAV."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from av.sidedata.sidedata import Type as SideData
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from transporter.clips.container import Deadline, decoded, opened
from transporter.clips.timeline import Timeline

WORTH_SEEKING = 25
"""Frames that nobody wants and that a seek must save; a decoder begins anew after it."""
Picture = tuple[np.ndarray, float]
"""`(h, w, 3)` uint8, RGB and upright, and the width of one of its pixels by its height."""


class Contradiction(Exception):
    """The decoder gives other frames than the timeline has, or is not asked for them."""


def av_pictures(
    path: Path, timeline: Timeline, numbers: np.ndarray, deadline: Deadline, seeks: bool = False
) -> Iterator[Picture]:
    """The pictures of the frames `numbers`, rising and without doubles, by PyAV.

    Args:
        seeks: whether stretches in which nothing is wanted are passed over.

    Raises:
        Contradiction: a frame is not where the timeline has it, or `seeks` saves nothing.
        VideoError: the file cannot be decoded.
    """
    wanted = numbers.tolist()
    parts = _stretches(timeline, wanted) if seeks else [(0, wanted)]
    if seeks and [begin for begin, _ in parts] == [0]:
        raise Contradiction
    with opened(path) as (container, stream):
        developer = Developer(stream)
        for begin, part in parts:
            if begin:
                container.seek(timeline.keys[begin], stream=stream)
            shown = decoded(container, stream, deadline)
            yield from map(developer.picture, _frames(shown, timeline, begin, part))


def _stretches(timeline: Timeline, numbers: Sequence[int]) -> list[tuple[int, list[int]]]:
    """The frames `numbers` in parts that are decoded in one go, each with the number of the frame
    from which to decode.
    """
    keys, reached = (0, *timeline.keys), 0
    parts: list[tuple[int, list[int]]] = [(0, [])]
    for number in numbers:
        key = keys[bisect_right(keys, number) - 1]
        if key - reached >= WORTH_SEEKING:
            parts.append((key, []))
        parts[-1][1].append(number)
        reached = number
    return [part for part in parts if part[1]]


def _frames(
    frames: Iterator[VideoFrame], timeline: Timeline, begin: int, wanted: Sequence[int]
) -> Iterator[VideoFrame]:
    """The `wanted` ones of `frames`, which come in order, `begin` among them.

    After a seek, frames before `begin` may lack what they were made from.
    """
    stamps, number = timeline.stamps, begin
    for frame in frames:
        if begin and (frame.pts is None or frame.pts < stamps[begin]):
            continue
        if stamps is not None and (number == len(stamps) or frame.pts != stamps[number]):
            raise Contradiction
        if begin and frame.is_corrupt:
            raise Contradiction
        if number in wanted:
            yield frame
        if number == wanted[-1]:
            return
        number += 1
    raise Contradiction


class Developer:
    """Makes pictures of one stream's frames."""

    def __init__(self, stream: VideoStream) -> None:
        self._aspect = float(stream.sample_aspect_ratio or 1)
        self._to_rgb = VideoReformatter()
        self._turns: np.ndarray | None = None

    def picture(self, frame: VideoFrame) -> Picture:
        """A frame in RGB, turned as the first one says."""
        if self._turns is None:
            # of one frame alone: a frame whose side data was looked at stays in memory for long
            self._turns = display_matrix(frame)
        picture = self._to_rgb.reformat(frame, format="rgb24", threads=1).to_ndarray()
        return _turned(picture, self._aspect, self._turns)


UPRIGHT = np.eye(2, dtype=np.int32) << 16


def display_matrix(frame: VideoFrame) -> np.ndarray:
    """How a frame is turned and mirrored before it is shown, `(2, 2)` in 1/65536: the rows say
    where steps along x and y go.
    """
    for data in frame.side_data:
        if data.type == SideData.DISPLAYMATRIX:
            return np.frombuffer(bytes(data), np.int32)[:9].reshape(3, 3)[:2, :2]
    return UPRIGHT


def _turned(picture: np.ndarray, aspect: float, matrix: np.ndarray) -> Picture:
    """A picture turned by the quarter that is nearest to `matrix`, and mirrored as it says."""
    if abs(matrix[0, 1]) > abs(matrix[0, 0]):
        picture, aspect, matrix = picture.transpose(1, 0, 2), 1 / aspect, matrix[::-1]
    if matrix[0, 0] < 0:
        picture = picture[:, ::-1]
    if matrix[1, 1] < 0:
        picture = picture[::-1]
    return np.ascontiguousarray(picture), aspect
