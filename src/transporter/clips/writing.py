"""Writing clips as H.264, the same bytes on every machine."""

from __future__ import annotations

import os
from fractions import Fraction

import av
import numpy as np
import torch

from transporter.clips.refusals import VideoError
from transporter.support.files import written_whole

X264 = {
    "preset": "medium",
    "crf": "12",
    "x264-params": "threads=1:lookahead-threads=1:cpu-independent=1",
}
"""One thread and no choice of algorithm by processor, so that the same video gives the same bytes
on every machine.
"""
# BT.601, studio range, in 1/65536: full-range RGB to Y, Cb, Cr
_YCBCR = np.array([[16829, 33039, 6416], [-9714, -19070, 28784], [28784, -24103, -4681]], np.int64)
_OFFSET = np.array([16, 128, 128], np.int64)
_SMPTE170M, _STUDIO_RANGE = 6, 1


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
