"""Videos of the live explorer: read within limits, and called by the names that visitors know."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import torch

from transporter.clips.reading import read_clip, seconds_of
from transporter.clips.split import Reading
from transporter.generators.base import Generator
from transporter.support.errors import UserError

MEGABYTES, SECONDS = 64, 120
"""A larger or longer video is refused."""


@dataclass(frozen=True, eq=False)
class LiveClip:
    """A video as the models see it.

    Attributes:
        key: a hash of what they see.
        video: `(T, C, H, W)` in [0, 1].
        begin, end: the seconds of the file that are read.
        whole: how long the file lasts.
        fit: what was done about its proportions.
    """

    key: str
    name: str
    video: torch.Tensor
    begin: float
    end: float
    whole: float
    fit: str


def read_live(
    path: str | os.PathLike[str], name: str, generator: Generator, reading: Reading
) -> LiveClip:
    """Read a video; what is said of it calls it by `name`, never by its place.

    Raises:
        UserError: it cannot be read, or is larger than `MEGABYTES` or longer than `SECONDS`.
    """
    try:
        return _read(Path(path), name, generator, reading)
    except UserError as error:
        raise UserError(str(error).replace(str(path), name)) from None


def _read(path: Path, name: str, generator: Generator, reading: Reading) -> LiveClip:
    size, whole = path.stat().st_size, 0.0
    if size > MEGABYTES * 2**20:
        raise UserError(
            f"{name}: expected at most {MEGABYTES} MB, got {size / 2**20:.0f} MB; cut it"
        )
    whole = seconds_of(path)
    if whole > SECONDS:
        raise UserError(f"{name}: expected at most {SECONDS} s, got {whole:.0f} s; cut it")
    frames, _, height, width = generator.video_shape
    read = read_clip(path, (frames, height, width), generator.fps, reading.window, reading.fit)
    key = hashlib.sha256(read.video.numpy().tobytes()).hexdigest()
    begin = float(read.times[0])
    return LiveClip(key, name, read.video, begin, begin + read.seconds, whole, reading.fit)
