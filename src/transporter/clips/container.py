"""Opening a file that somebody says is a video: that file alone, by its content, within bounds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from transporter.clips.refusals import VideoError

FORMATS = (
    "apng,asf,av1,avi,dv,flv,gif,h264,hevc,ivf,m4v,matroska,mov,mpeg,mpegts,mpegvideo,mxf,nut,obu,"
    "ogg,webm"
)
"""The containers that are read, by libavformat's names. None of them opens another file, as a
playlist does.
"""
MAX_PIXELS = 36_000_000
"""Pixels of a frame, as it is stored or once it is scaled (8K has 33 million); beyond them a clip
is refused. A decoder may hold 17 such frames.
"""
MAX_SECONDS = 300.0
"""Seconds that one clip may take to read; beyond them it is refused."""
ODD_ERRORS = (av.FFmpegError, ValueError, ArithmeticError, LookupError, MemoryError, OSError)
"""What PyAV raises about files that are no sound clips."""


class Deadline:
    """The moment by which one clip must be read."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    def check(self) -> None:
        """Raise a `VideoError` once the moment has passed."""
        if time.monotonic() > self._end:
            raise VideoError(
                f"expected a clip that is read within {self.seconds:g} s, this takes longer; cut it"
                " or make its picture smaller"
            )


@contextmanager
def opened(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The container and its video, not yet decoded; frames decode on one thread.

    Raises:
        VideoError: no regular file, nothing in it, no video among `FORMATS`, or one of more than
            `MAX_PIXELS` a frame. The message does not name the file.
    """
    check_file(path)
    try:
        with av.open(
            # a name that looks like an address, an option or a pattern means the file all the same
            f"file:{path.absolute()}",
            metadata_errors="replace",
            options={
                "format_whitelist": FORMATS,
                "protocol_whitelist": "file",
                # it also holds while libavformat decodes a frame to look at it
                "max_pixels": str(MAX_PIXELS),
            },
        ) as container:
            yield container, _video(container)
    except av.error.ArgumentError:
        raise VideoError(
            "expected a video, got a file of another kind, such as a playlist or a picture; it was"
            " not opened further"
        ) from None
    except ODD_ERRORS as error:
        raise VideoError(f"cannot be decoded: {reason(error)}") from None


def check_file(path: Path) -> None:
    """Raise a `VideoError` unless `path` is a regular file with something in it."""
    try:
        regular, size = path.is_file(), path.stat().st_size
    except (OSError, ValueError):
        regular, size = False, 0
    if not regular:
        raise VideoError("expected a video, found no such file")
    if size == 0:
        raise VideoError("expected a video, the file is empty")


def reason(error: Exception) -> str:
    """What an error of PyAV says, in one line, without files and source positions."""
    text = getattr(error, "strerror", None) or str(error).strip().split("\n")[0]
    return text[:200] or type(error).__name__


def _video(container: InputContainer) -> VideoStream:
    """The stream that a player would show; a cover is none."""
    best = container.streams.best("video")
    moving = [stream for stream in container.streams.video if not _is_cover(stream)]
    if not moving:
        raise VideoError("cannot be decoded: expected a video stream, found none")
    stream = best if best in moving else moving[0]
    context = stream.codec_context
    if context is None:
        raise VideoError("cannot be decoded: its codec is not known")
    check_pixels(context.width, context.height)
    context.thread_count, context.thread_type = 1, "NONE"
    context.options = {"max_pixels": str(MAX_PIXELS)}
    return stream


def _is_cover(stream: VideoStream) -> bool:
    return bool(stream.disposition & Disposition.attached_pic)


def check_pixels(width: int, height: int) -> None:
    """Raise a `VideoError` for frames of more than `MAX_PIXELS`."""
    if width * height > MAX_PIXELS:
        raise VideoError(
            f"expected frames of at most {MAX_PIXELS // 10**6} million pixels, got {width} x"
            f" {height}; make its picture smaller"
        )


def decoded(
    container: InputContainer, stream: VideoStream, deadline: Deadline
) -> Iterator[VideoFrame]:
    """The frames that a player shows, in the order in which the decoder gives them.

    What an edit list hides is left out by the decoder. A damaged packet gives no frame, and is
    missed by whoever compares the frames with the packets.
    """
    for packet in container.demux(stream):
        deadline.check()
        try:
            frames = packet.decode()
        except av.error.InvalidDataError:
            continue
        for frame in frames:
            check_pixels(frame.width, frame.height)
            yield frame
