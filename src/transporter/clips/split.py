"""The clips of a split as its table lists them, each read at its window, whoever reads it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from transporter.clips.clip import Clip
from transporter.clips.reading import read_clip, read_video
from transporter.clips.settings import Fit
from transporter.clips.window import Window
from transporter.support.files import read_table

Size = tuple[int, int, int]
"""Frames, height and width."""


@dataclass(frozen=True)
class Reading:
    """Which part of a clip is read, and what is done about other proportions: the keys of the
    settings `clips`.
    """

    start: float = 0.0
    seconds: float | Literal["all"] | None = None
    fit: Fit = "crop"

    @classmethod
    def of_settings(cls, clips: Mapping[str, Any]) -> Reading:
        """By the settings `clips`, or those of their keys that this has."""
        return cls(clips["start"], clips["seconds"], clips["fit"])

    @property
    def window(self) -> Window:
        return Window(self.start, self.seconds)


FROM_THE_START = Reading()


@dataclass(frozen=True)
class SplitClips:
    """The clips of a split, one for each row of its table.

    Attributes:
        folder: where the files are.
        names: what each clip is called; several windows of one file have a name each.
        captions: what each shows.
        files: the file of each.
        windows: which part of its file each is.
        fit: what is done about other proportions.
    """

    folder: Path
    names: list[str]
    captions: list[str]
    files: list[Path]
    windows: list[Window]
    fit: Fit

    @classmethod
    def of_table(
        cls,
        table: str | os.PathLike[str],
        folder: str | os.PathLike[str],
        part: Mapping[str, Any],
    ) -> SplitClips:
        """The clips that a split's table lists, of files in `folder`.

        Columns `file` and `start` say which part of which file a clip is. Without them it is the
        file of its name, read as `part` says: the keys `start`, `seconds` and `fit` of the settings
        `clips`.

        Raises:
            UserError: the table cannot be read, or lacks `clip` or `caption`.
        """
        rows = read_table(table, ("clip", "caption"), text=("clip", "caption", "file"))
        names, folder = rows["clip"].tolist(), Path(folder)
        files = rows["file"].tolist() if "file" in rows else names
        starts = rows["start"].tolist() if "start" in rows else [part["start"]] * len(names)
        return cls(
            folder,
            names,
            rows["caption"].tolist(),
            [folder / file for file in files],
            [Window(float(start), part["seconds"]) for start in starts],
            part["fit"],
        )

    def __len__(self) -> int:
        return len(self.names)

    @property
    def labels(self) -> list[str]:
        """Names with the folder before them, as tables of scores call clips."""
        return [f"{self.folder}/{name}" for name in self.names]

    def read(self, row: int, size: Size, fps: float) -> Clip:
        """The clip of a row: `size` frames, height and width, at `fps` frames a second.

        Raises:
            VideoError: as `read_clip`.
        """
        return read_clip(self.files[row], size, fps, self.windows[row], self.fit)


def reader_of(
    splits: Sequence[SplitClips], size: Size, fps: float
) -> Callable[[str], torch.Tensor]:
    """What reads clips `(T, C, H, W)` by their labels: those of `splits` at their windows, and any
    other file, which a model made, whole.
    """
    known = {label: (clips, row) for clips in splits for row, label in enumerate(clips.labels)}

    def read(label: str) -> torch.Tensor:
        if label not in known:
            return read_video(label, *size)
        clips, row = known[label]
        return clips.read(row, size, fps).video

    return read
