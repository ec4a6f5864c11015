"""Reading clips with decord."""

from __future__ import annotations

import os
import re
from pathlib import Path

import av
import decord
import numpy as np
import torch

from transporter.clips.fit import resize_and_crop
from transporter.clips.refusals import VideoError

decord.logging.set_level(decord.logging.FATAL)

MISSING_FRAMES = 0.1
"""Share of the declared frames that may be missing (declared counts are estimates) before a clip
counts as truncated.
"""


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
