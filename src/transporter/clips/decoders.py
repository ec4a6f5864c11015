"""The pictures of some frames of a clip, one after another: by decord, or by PyAV."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from av.container import InputContainer
from av.sidedata.sidedata import Type as SideData
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from transporter.clips.container import Deadline, decoded, opened, same_file
from transporter.clips.timeline import Timeline

try:
    import decord
except ImportError:  # no wheel for this machine
    decord: ModuleType | None = None
else:
    decord.logging.set_level(decord.logging.FATAL)

PLAIN_FORMATS = ("mov", "matroska")
PLAIN_CODEC, PLAIN_PIXELS = "h264", ("yuv420p", "yuvj420p")
"""What decord is trusted with; of deeper pixels it makes other colours."""
AT_ONCE = 4_000_000
"""Pixels that decord is asked for at a time, unless a single frame has more."""


Picture = tuple[np.ndarray, float]
"""`(h, w, 3)` uint8, RGB and upright, and the width of one of its pixels by its height."""


class Contradiction(Exception):
    """The decoder gives other frames than the timeline has, or is not asked for them."""


def av_pictures(
    path: Path, timeline: Timeline, numbers: np.ndarray, deadline: Deadline
) -> Iterator[Picture]:
    """The pictures of the frames `numbers`, rising and without doubles, by PyAV.

    Raises:
        Contradiction: a frame is not where the timeline has it.
        VideoError: the file cannot be decoded.
    """
    wanted, last, stamps = set(numbers.tolist()), int(numbers.max()), timeline.stamps
    with opened(path) as (container, stream):
        to_rgb = VideoReformatter()
        for number, frame in enumerate(decoded(container, stream, deadline)):
            if stamps is not None and (number == len(stamps) or frame.pts != stamps[number]):
                raise Contradiction
            if number in wanted:
                yield _picture(frame, stream, to_rgb)
            if number == last:
                return
    raise Contradiction


def _picture(frame: VideoFrame, stream: VideoStream, to_rgb: VideoReformatter) -> Picture:
    picture = to_rgb.reformat(frame, format="rgb24", threads=1).to_ndarray()
    aspect = float(stream.sample_aspect_ratio or 1)
    matrix = _display_matrix(frame)
    if matrix is None:
        return picture, aspect
    if abs(matrix[0, 1]) > abs(matrix[0, 0]):
        picture, aspect = picture.transpose(1, 0, 2), 1 / aspect
        matrix = matrix[::-1]
    # how a step along a row or a column of the picture goes on the screen
    if matrix[0, 0] < 0:
        picture = picture[:, ::-1]
    if matrix[1, 1] < 0:
        picture = picture[::-1]
    return np.ascontiguousarray(picture), aspect


def _display_matrix(frame: VideoFrame) -> np.ndarray | None:
    """How a frame is turned and mirrored before it is shown, `(2, 2)`: rows are where its x and y
    axes go.
    """
    for data in frame.side_data:
        if data.type == SideData.DISPLAYMATRIX:
            return np.frombuffer(bytes(data), np.int32)[:9].reshape(3, 3)[:2, :2]
    return None


def decord_pictures(
    path: Path, timeline: Timeline, numbers: np.ndarray, deadline: Deadline
) -> Iterator[Picture]:
    """The pictures of the frames `numbers`, rising and without doubles, by decord.

    It is asked for the plainest files alone, upright and of square pixels, and compared: as many
    frames as the timeline has, at the same times, and the first one the same as PyAV's.

    Raises:
        Contradiction: it is not asked, or fails, or differs.
        VideoError: the file cannot be opened.
    """
    first = _plain_first(path, timeline, deadline)
    reader = _decord_reader(path, timeline)
    wanted, numbers = np.union1d([0], numbers).tolist(), np.unique(numbers)
    count = max(1, AT_ONCE // (first.shape[0] * first.shape[1]))
    for begin in range(0, len(wanted), count):
        deadline.check()
        part = wanted[begin : begin + count]
        with _foreign():
            pictures = reader.get_batch(part).asnumpy()
        if begin == 0 and not np.array_equal(pictures[0], first):
            raise Contradiction
        for number, picture in zip(part, pictures, strict=True):
            if number > 0 or numbers[0] == 0:
                yield picture, 1.0


def _plain_first(path: Path, timeline: Timeline, deadline: Deadline) -> np.ndarray:
    """The first frame by PyAV, `(h, w, 3)` uint8, of a file that decord is asked for."""
    if decord is None or not timeline.plain:
        raise Contradiction
    with opened(path) as (container, stream):
        if not _is_plain(container, stream):
            raise Contradiction
        first = next(decoded(container, stream, deadline), None)
        if first is None or _display_matrix(first) is not None:
            raise Contradiction
        picture, aspect = _picture(first, stream, VideoReformatter())
    if aspect != 1:
        raise Contradiction
    return picture


def _is_plain(container: InputContainer, stream: VideoStream) -> bool:
    context = stream.codec_context
    return (
        container.format.name.split(",")[0] in PLAIN_FORMATS
        and len(container.streams.video) == 1
        and context.name == PLAIN_CODEC
        and context.pix_fmt in PLAIN_PIXELS
    )


def _decord_reader(path: Path, timeline: Timeline) -> Any:
    """decord's reader, which has the same frames at the same times."""
    with _foreign():
        reader = decord.VideoReader(same_file(path), ctx=decord.cpu(0), num_threads=1)
        if len(reader) != len(timeline):
            raise Contradiction
        times = np.asarray(reader.get_frame_timestamp(range(len(reader))))[:, 0]
    # decord has them in single precision
    if not np.allclose(times, timeline.times, rtol=1e-5, atol=1e-3):
        raise Contradiction
    return reader


@contextmanager
def _foreign() -> Iterator[None]:
    """Whatever goes wrong inside decord: PyAV tells what is the matter with the file."""
    try:
        yield
    except Exception:
        raise Contradiction from None
