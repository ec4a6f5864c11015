"""The pictures of some frames of a clip, one after another: by decord, or by PyAV."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from av.sidedata.sidedata import Type as SideData
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from transporter.clips.container import ODD_ERRORS, Deadline, decoded, opened, same_file
from transporter.clips.timeline import Timeline

try:
    import decord
except ImportError:  # no wheel for this machine
    decord: ModuleType | None = None
else:
    decord.logging.set_level(decord.logging.FATAL)

PLAIN_CODEC, PLAIN_PIXELS = "h264", ("yuv420p", "yuvj420p")
"""What decord is trusted with; of deeper pixels it makes other colours."""


class Contradiction(Exception):
    """The decoder gives other frames than the packets tell."""


def av_pictures(
    path: Path, timeline: Timeline, numbers: np.ndarray, deadline: Deadline
) -> Iterator[tuple[np.ndarray, float]]:
    """The pictures of the frames `numbers`, rising, by PyAV: `(h, w, 3)` uint8, turned upright, and
    the width of a pixel by its height.

    Raises:
        Contradiction: a frame is not where the timeline has it.
        VideoError: the file cannot be decoded.
    """
    known, wanted = set(timeline.stamps.tolist()), timeline.stamps[np.unique(numbers)].tolist()
    with opened(path) as (container, stream):
        before = None
        for number, frame in enumerate(decoded(container, stream, deadline)):
            stamp = number if timeline.numbered else frame.pts
            if stamp not in known or stamp > wanted[0] or (before is not None and stamp <= before):
                raise Contradiction
            before = stamp
            if stamp == wanted[0]:
                yield _picture(frame, stream)
                del wanted[0]
                if not wanted:
                    return
    raise Contradiction


def _picture(frame: VideoFrame, stream: VideoStream) -> tuple[np.ndarray, float]:
    picture, aspect = frame.to_ndarray(format="rgb24"), float(stream.sample_aspect_ratio or 1)
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


def decord_reader(path: Path, timeline: Timeline, deadline: Deadline) -> Any | None:
    """decord's reader of a clip where it gives the frames of the timeline, else None.

    It is asked for the plainest files alone, and compared: as many frames, at the same times, the
    first of them the same picture, upright, of square pixels.
    """
    if decord is None or not timeline.plain:
        return None
    with opened(path) as (container, stream):
        if not _is_plain(stream) or len(container.streams.video) > 1:
            return None
        first = next(decoded(container, stream, deadline), None)
        if first is None or _display_matrix(first) is not None:
            return None
        picture, aspect = _picture(first, stream)
    if aspect != 1:
        return None
    try:
        reader = decord.VideoReader(same_file(path), ctx=decord.cpu(0), num_threads=1)
        if len(reader) != len(timeline):
            return None
        times = np.asarray(reader.get_frame_timestamp(range(len(reader))))[:, 0]
        # decord has them in single precision
        same = np.allclose(times, timeline.times, rtol=1e-5, atol=1e-3)
        return reader if same and np.array_equal(reader[0].asnumpy(), picture) else None
    except (RuntimeError, *ODD_ERRORS):
        return None


def _is_plain(stream: VideoStream) -> bool:
    context = stream.codec_context
    return context.name == PLAIN_CODEC and context.pix_fmt in PLAIN_PIXELS


def decord_pictures(
    reader: Any, numbers: np.ndarray, deadline: Deadline
) -> Iterator[tuple[np.ndarray, float]]:
    """Like `av_pictures`, by a reader that `decord_reader` trusts."""
    for number in np.unique(numbers):
        deadline.check()
        try:
            picture = reader[int(number)].asnumpy()
        except (RuntimeError, *ODD_ERRORS):
            raise Contradiction from None
        yield picture, 1.0
