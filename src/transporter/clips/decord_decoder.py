"""The pictures of some frames of a clip by decord, where it can be had and is right."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream

from transporter.clips.av_decoder import (
    UPRIGHT,
    Contradiction,
    Developer,
    Picture,
    display_matrix,
)
from transporter.clips.container import Deadline, decoded, opened
from transporter.clips.timeline import Timeline

try:
    import decord
except ImportError:  # there is no wheel for this machine
    decord: ModuleType | None = None
else:
    decord.logging.set_level(decord.logging.FATAL)

FORMATS, CODEC, PIXEL_FORMATS = ("mov", "matroska"), "h264", ("yuv420p", "yuvj420p")
"""What decord is trusted with; of deeper pixels it makes other colours."""
MAX_PIXELS = 1_000_000
"""Pixels of a frame that decord is asked for: it decodes many ahead and keeps them."""
AT_ONCE = 4_000_000
"""Pixels that it is asked for at a time."""


def decord_pictures(
    path: Path, timeline: Timeline, numbers: np.ndarray, deadline: Deadline
) -> Iterator[Picture]:
    """The pictures of the frames `numbers`, rising and without doubles, by decord.

    It is asked for plain files alone, small, upright and of square pixels, and compared: as many
    frames as the timeline has, at the same times, and the first one the same as PyAV's.

    Raises:
        Contradiction: it is not asked, or fails, or differs.
        VideoError: the file cannot be opened.
    """
    first = _plain_first(path, timeline, deadline)
    reader = _reader(path, timeline)
    wanted = np.union1d([0], numbers).tolist()
    count = max(1, AT_ONCE // (first.shape[0] * first.shape[1]))
    for begin in range(0, len(wanted), count):
        deadline.check()
        part = wanted[begin : begin + count]
        with _foreign():
            pictures = reader.get_batch(part).asnumpy()
        if begin == 0 and not np.array_equal(pictures[0], first):
            raise Contradiction
        for number, picture in zip(part, pictures, strict=True):
            if number > 0 or 0 in numbers:
                yield picture, 1.0


def _plain_first(path: Path, timeline: Timeline, deadline: Deadline) -> np.ndarray:
    """The first frame by PyAV, `(h, w, 3)` uint8, of a file that decord is asked for."""
    if decord is None or not timeline.plain:
        raise Contradiction
    with opened(path) as (container, stream):
        if not _is_plain(container, stream):
            raise Contradiction
        first = next(decoded(container, stream, deadline), None)
        if first is None or not np.array_equal(display_matrix(first), UPRIGHT):
            raise Contradiction
        return Developer(stream).picture(first)[0]


def _is_plain(container: InputContainer, stream: VideoStream) -> bool:
    context = stream.codec_context
    return (
        container.format.name.split(",")[0] in FORMATS
        and len(container.streams.video) == 1
        and (context.name, stream.sample_aspect_ratio or 1) == (CODEC, 1)
        and context.pix_fmt in PIXEL_FORMATS
        and context.width * context.height <= MAX_PIXELS
    )


def _reader(path: Path, timeline: Timeline) -> Any:
    """decord's reader, which has the same frames at the same times."""
    with _foreign():
        # an absolute path is no option, address or pattern
        reader = decord.VideoReader(str(path.absolute()), ctx=decord.cpu(0), num_threads=1)
        times = np.asarray(reader.get_frame_timestamp(range(len(reader))))[:, 0]
    # decord has them in single precision
    if len(reader) != len(timeline) or not np.allclose(times, timeline.times, 1e-5, 1e-3):
        raise Contradiction
    return reader


@contextmanager
def _foreign() -> Iterator[None]:
    """Whatever goes wrong inside decord: PyAV tells what is the matter with the file."""
    try:
        yield
    except Exception:
        raise Contradiction from None
