"""Videos of the live explorer: read within limits, and called by the names that visitors know."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import torch

from transporter.clips.reading import read_clip, seconds_of
from transporter.clips.split import Reading
from transporter.figures.overlay import over_frames
from transporter.generators.base import Generator
from transporter.support.errors import UserError

MEGABYTES, SECONDS = 64, 120
"""A larger or longer video is refused."""
ROUNDING = 0.01
"""Seconds by which a part may end late: pages tell lengths to the hundredth."""


@dataclass(frozen=True, eq=False)
class LiveClip:
    """A part of a video as the models see it.

    Attributes:
        key: a hash of the file and of the part.
        path: the file, which nobody is told.
        reading: which part it is, and what was done about its proportions.
        video: `(T, C, H, W)` in [0, 1].
        begin, end: the seconds of the file that are read.
        whole: how long the file lasts.
    """

    key: str
    name: str
    path: Path
    reading: Reading
    video: torch.Tensor
    begin: float
    end: float
    whole: float

    def seconds(self, latent: int, count: int) -> tuple[float, float]:
        """Those of the file that one of `count` latent frames stands for."""
        frames = (over_frames(torch.arange(count), len(self.video)) == latent).nonzero()
        step = (self.end - self.begin) / len(self.video)
        return self.begin + int(frames[0]) * step, self.begin + (int(frames[-1]) + 1) * step


def read_live(
    path: str | os.PathLike[str], name: str, generator: Generator, reading: Reading
) -> LiveClip:
    """Read a part of a video; what is said of it calls it by `name`, never by its place.

    Raises:
        UserError: it is gone or cannot be read, is larger than `MEGABYTES` or longer than
            `SECONDS`, or has no such part.
    """
    try:
        return _read(Path(path), name, generator, reading)
    except UserError as error:
        raise UserError(str(error).replace(str(path), name)) from None


def _read(path: Path, name: str, generator: Generator, reading: Reading) -> LiveClip:
    if not path.is_file():
        raise UserError(f"{name}: expected a video that is still here; choose or upload it again")
    size = path.stat().st_size
    if size > MEGABYTES * 2**20:
        raise UserError(
            f"{name}: expected at most {MEGABYTES} MB, got {size / 2**20:.0f} MB; cut it"
        )
    whole = seconds_of(path)
    if whole > SECONDS:
        raise UserError(f"{name}: expected at most {SECONDS} s, got {whole:.0f} s; cut it")
    _refuse_part(name, reading, whole)
    frames, _, height, width = generator.video_shape
    read = read_clip(path, (frames, height, width), generator.fps, reading.window, reading.fit)
    begin = float(read.times[0])
    key, end = _key(path, reading), begin + read.seconds
    return LiveClip(key, name, path, reading, read.video, begin, end, whole)


def _refuse_part(name: str, reading: Reading, whole: float) -> None:
    start, asked = reading.start, reading.seconds
    untimed = asked is None or isinstance(asked, str)
    if 0 <= start < whole and (untimed or 0 < asked <= whole - start + ROUNDING):
        return  # whether what is left will do, its reader says
    given = "one" if untimed else f"{asked:g} s"
    raise UserError(
        f"{name}: expected a part of its {whole:.2f} s, got {given} from {start:g} s on"
    )


def _key(path: Path, reading: Reading) -> str:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256")
    found.update(f"{reading.start!r} {reading.seconds!r}".encode())
    return found.hexdigest()
