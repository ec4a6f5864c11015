"""Where clips to fit on come from: a world that renders them, a folder, or what a person holds."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path

import torch

from transporter.clips.contrast import Concept
from transporter.clips.fit import resize_and_crop
from transporter.clips.reading import read_video
from transporter.clips.split import FROM_THE_START, Reading
from transporter.clips.world import World
from transporter.support.errors import UserError
from transporter.support.files import read_table

EARLY = 1e-3
"""Of a frame, by which one may be shown too late."""
SEARCHED = 100
"""Clips that are looked through for one whose caption holds a concept's word."""

Clips = Iterable[tuple[str, torch.Tensor]]
"""Captions, and clips `(T, C, H, W)` in [0, 1]."""
Shape = tuple[int, int, int, int]
"""(T, C, H, W)"""


def as_clip(
    video: torch.Tensor | str | os.PathLike[str],
    shape: Shape,
    fps: float,
    reading: Reading = FROM_THE_START,
    rate: float | None = None,
) -> torch.Tensor:
    """A clip of that shape: of a file the part that `reading` names, by default the frames that are
    shown at `fps` a second from its first one on, so that motion keeps its speed; of a tensor
    `(T', 3, h, w)` in [0, 1] the same, if its frames per second are known to be `rate`, else evenly
    spaced frames; centre cropped.

    Raises:
        UserError: a tensor of another kind, or fewer frames than wanted, or a file that cannot be
            read.
    """
    frames, _, height, width = shape
    if not isinstance(video, torch.Tensor):
        return read_video(video, frames, height, width, fps, reading.window, reading.fit)
    if video.ndim != 4 or video.shape[1] != 3:
        raise UserError(f"video: expected (T, 3, H, W) in [0, 1], got {tuple(video.shape)}")
    if len(video) < frames:
        raise UserError(f"video: expected at least {frames} frames, got {len(video)}")
    if rate is None:
        chosen = torch.linspace(0, len(video) - 1, frames).round().long()
    else:
        chosen = (torch.arange(frames) * rate / fps + EARLY).long()
    if chosen[-1] >= len(video):
        raise UserError(
            f"video: expected {frames / fps:.4g} s, {int(chosen[-1]) + 1} frames at {rate:g} a"
            f" second, got {len(video)}"
        )
    return resize_and_crop(video[chosen].float(), height, width)


def captioned_clips(
    concepts: Sequence[Concept],
    source: World | Clips | str | os.PathLike[str],
    count: int,
    seed: int,
    shape: Shape,
    fps: float,
    reading: Reading = FROM_THE_START,
) -> Mapping[str, list[tuple[str, torch.Tensor]]]:
    """For each concept, by name, the first `count` clips whose captions hold one of its words.

    Files that cannot be read are passed over, and told on standard error.

    Args:
        source: a world, whose training clips with this `seed` are taken; captions and clips; or a
            folder that holds `captions.tsv` and `clips/`.
        shape: of the clips that come out.
        fps: their frames per second.
        reading: which part of a file is read.

    Raises:
        UserError: no clip of a concept, or a tensor that is no clip.
    """
    if not isinstance(source, str | os.PathLike) and not world_of(source):
        source = list(source)  # it may be read once alone, and there may be several concepts
    clip_of = partial(as_clip, shape=shape, fps=fps, reading=reading)
    return {concept.name: _found(concept, source, count, seed, clip_of) for concept in concepts}


def world_of(source: World | Clips | str | os.PathLike[str]) -> World | None:
    """A source of clips, if it is a world."""
    return source if hasattr(source, "clips") else None


def _found(
    concept: Concept,
    source: World | Clips | str | os.PathLike[str],
    count: int,
    seed: int,
    clip_of: Callable[[torch.Tensor | Path], torch.Tensor],
) -> list[tuple[str, torch.Tensor]]:
    candidates = islice(_candidates(source, seed), SEARCHED * count)
    fitting = ((caption, video) for caption, video in candidates if concept.pair(caption))
    refused: list[UserError] = []
    found = list(islice(_readable(fitting, clip_of, refused), count))
    if refused:
        told = f"{len(refused)} clips are passed over, since they cannot be read; the first:"
        print(f"concept {concept.name}: {told} {refused[0]}", file=sys.stderr)
    if not found and refused:
        raise refused[0]
    if not found:
        raise UserError(
            f"concept {concept.name}: expected clips whose captions hold {concept.source!r} or"
            f" {concept.target!r}, found none; give others by `clips`"
        )
    return found


def _readable(
    captioned: Iterable[tuple[str, torch.Tensor | Path]],
    clip_of: Callable[[torch.Tensor | Path], torch.Tensor],
    refused: list[UserError],
) -> Iterator[tuple[str, torch.Tensor]]:
    """Captions and clips; what is said of files that are none is added to `refused`."""
    for caption, video in captioned:
        try:
            clip = clip_of(video)
        except UserError as error:
            if isinstance(video, torch.Tensor):
                raise
            refused.append(error)
        else:
            yield caption, clip


def _candidates(
    source: World | Clips | str | os.PathLike[str], seed: int
) -> Iterator[tuple[str, torch.Tensor | Path]]:
    if isinstance(source, str | os.PathLike):
        folder = Path(source)
        table = read_table(folder / "captions.tsv", ("clip", "caption"), text=("clip",))
        for row in table.itertuples(index=False):
            yield row.caption, folder / "clips" / row.clip
    elif world := world_of(source):
        yield from world.clips(seed)
    else:
        yield from source
