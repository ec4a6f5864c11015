"""Reading clips with decord, writing them with PyAV."""

from __future__ import annotations

import os
import re
from fractions import Fraction
from pathlib import Path

import av
import decord
import numpy as np
import torch
import torch.nn.functional as F

from transporter.support.errors import UserError
from transporter.support.files import written_whole

decord.logging.set_level(decord.logging.FATAL)

X264 = {
    "preset": "medium",
    "crf": "12",
    "x264-params": "threads=1:lookahead-threads=1:cpu-independent=1",
}
"""One thread and no choice of algorithm by processor, so that the same video gives the same bytes
on every machine.
"""
MISSING_FRAMES = 0.1
"""Share of the declared frames that may be missing (declared counts are estimates) before a clip
counts as truncated.
"""

# BT.601, studio range, in 1/65536: full-range RGB to Y, Cb, Cr
_YCBCR = np.array([[16829, 33039, 6416], [-9714, -19070, 28784], [28784, -24103, -4681]], np.int64)
_OFFSET = np.array([16, 128, 128], np.int64)
_SMPTE170M, _STUDIO_RANGE = 6, 1


class VideoError(UserError):
    """A clip that cannot be read; the message names the file and the reason."""


def _reason(error: Exception) -> str:
    """The first line of a decord message, without its time stamps and source positions."""
    text = str(error).strip().split("\n")[0]
    return re.sub(r"\[[\d:]+\] \S+:\d+: ", "", text)[:200] or type(error).__name__


def _declared_frames(path: Path) -> int:
    """How many frames the container says it holds, 0 where it does not say."""
    with av.open(os.fspath(path)) as container:
        stream = container.streams.video[0]
        if stream.frames:
            return stream.frames
        # a container without frame counts only says how long it lasts, which its sound may stretch
        if container.duration is None or stream.average_rate is None or container.streams.audio:
            return 0
        return int(container.duration / av.time_base * stream.average_rate)


def _read_frames(path: Path, frames: int) -> np.ndarray:
    """`frames` evenly spaced frames, first and last included: `(T, h, w, 3)` uint8."""
    try:
        reader = decord.VideoReader(os.fspath(path), ctx=decord.cpu(0), num_threads=1)
        found, declared = len(reader), _declared_frames(path)
        if found < (1 - MISSING_FRAMES) * declared:
            raise VideoError(
                f"{path}: truncated, it holds {found} of the {declared} frames that it declares"
            )
        if found < frames:
            raise VideoError(f"{path}: expected at least {frames} frames, got {found}")
        chosen = np.linspace(0, found - 1, frames).round().astype(int)
        return reader.get_batch(chosen.tolist()).asnumpy()
    except (decord.DECORDError, RuntimeError, av.FFmpegError, IndexError) as error:
        raise VideoError(f"{path}: cannot be decoded: {_reason(error)}") from None


def resize_and_crop(video: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Scale `(T, C, h, w)` until it just covers `height` x `width`, then cut out the centre;
    identity where sizes match.
    """
    rows, columns = video.shape[-2:]
    if (rows, columns) != (height, width):
        scale = max(height / rows, width / columns)
        size = (max(height, round(rows * scale)), max(width, round(columns * scale)))
        video = F.interpolate(
            video, size=size, mode="bilinear", antialias=True, align_corners=False
        ).clamp(0, 1)
    top, left = (video.shape[-2] - height) // 2, (video.shape[-1] - width) // 2
    return video[..., top : top + height, left : left + width]


def read_video(path: str | os.PathLike[str], frames: int, height: int, width: int) -> torch.Tensor:
    """Read a clip as `(T, C, H, W)` RGB float32 in [0, 1]: evenly spaced frames, short side
    resized, centre cropped.

    Raises:
        VideoError: the file is missing, empty, not a video, truncated, damaged, or has fewer than
            `frames` frames.
    """
    path = Path(path)
    if not path.is_file():
        raise VideoError(f"{path}: expected a video, found no such file")
    if path.stat().st_size == 0:
        raise VideoError(f"{path}: expected a video, the file is empty")
    video = torch.from_numpy(_read_frames(path, frames)).permute(0, 3, 1, 2)
    return resize_and_crop(video.float() / 255, height, width).contiguous()


def _to_yuv420(video: torch.Tensor) -> np.ndarray:
    """`(T, 3, H, W)` in [0, 1] to planes Y, Cb, Cr one below another, chroma halved:
    `(T, H * 3 / 2, W)` uint8.

    Whole numbers throughout: swscale rounds differently from one processor to another.
    """
    rgb = (video.detach().cpu().float().clamp(0, 1) * 255).round().to(torch.int64).numpy()
    count, _, height, width = rgb.shape
    luma = (np.einsum("c,tchw->thw", _YCBCR[0], rgb) + (1 << 15) >> 16) + _OFFSET[0]
    blocks = rgb.reshape(count, 3, height // 2, 2, width // 2, 2).sum(
        (3, 5)
    )  # (T, 3, H/2, W/2), four pixels summed
    chroma = (np.einsum("kc,tchw->tkhw", _YCBCR[1:], blocks) + (1 << 17) >> 18) + _OFFSET[
        1:, None, None
    ]
    return (
        np.concatenate([luma, chroma.reshape(count, height // 2, width)], 1)
        .clip(0, 255)
        .astype(np.uint8)
    )


def write_video(path: str | os.PathLike[str], video: torch.Tensor, fps: float) -> None:
    """Write `(T, 3, H, W)` RGB in [0, 1] as H.264 in mp4; equal videos give equal bytes.

    Raises:
        VideoError: the video is not of that shape, or its height or width is odd (4:2:0 chroma
            halves both).
    """
    if (
        video.ndim != 4
        or video.shape[1] != 3
        or 0 in video.shape
        or video.shape[2] % 2
        or video.shape[3] % 2
    ):
        raise VideoError(
            f"{path}: expected a video (T, 3, H, W) of even height and width to write, got"
            f" {tuple(video.shape)}"
        )
    options = {"fflags": "+bitexact", "movflags": "+faststart"}
    with (
        written_whole(path) as partial,
        av.open(os.fspath(partial), "w", format="mp4", options=options) as container,
    ):
        stream = container.add_stream(
            "libx264",
            rate=Fraction(fps).limit_denominator(1001),
            options=X264 | {"flags": "+bitexact"},
        )
        stream.height, stream.width, stream.pix_fmt = video.shape[2], video.shape[3], "yuv420p"
        stream.codec_context.thread_count = 1
        stream.codec_context.colorspace, stream.codec_context.color_range = (
            _SMPTE170M,
            _STUDIO_RANGE,
        )
        for planes in _to_yuv420(video):
            frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            frame.colorspace, frame.color_range = _SMPTE170M, _STUDIO_RANGE
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
