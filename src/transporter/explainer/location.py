"""Where and when a word is in one clip, as an object: its map, to look at and to keep."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
import torch
from safetensors.torch import save_file

from transporter.clips.writing import write_video
from transporter.figures.overlay import overlay
from transporter.generators.base import Generator
from transporter.generators.wording import readable
from transporter.saliency.locating import renoised
from transporter.saliency.restricting import of_latent, places
from transporter.saliency.settings import MapSettings, ReadingSettings
from transporter.saliency.words import Words
from transporter.support.errors import UserError
from transporter.support.files import write_table, written_whole

MAPS, INDEX, OVERLAY = "maps.safetensors", "index.tsv", "overlay.mp4"


@dataclass(frozen=True, repr=False)
class Location:
    """The map of one word in one clip."""

    word: str
    caption: str
    """What the generator was told that the clip shows."""
    video: torch.Tensor
    """The clip, `(T, C, H, W)` in [0, 1]."""
    fps: float
    place: torch.Tensor
    """How much of the word each token has, `(F, h, w)`, in deviations from its frame's mean."""
    time: torch.Tensor
    """The same on one scale for the whole clip, so that frames can be compared, `(F, h, w)`."""

    @property
    def path(self) -> torch.Tensor:
        """The centre of what lies above a frame's mean, as shares of height and width from the top
        left, `(F, 2)`.
        """
        weight = self.place.clamp_min(0)
        weight = weight / weight.sum((1, 2), keepdim=True).clamp_min(1e-6)
        rows, columns = (
            (torch.arange(size, device=weight.device) + 0.5) / size for size in weight.shape[1:]
        )
        across = (weight.sum(1) * columns).sum(1)
        return torch.stack([(weight.sum(2) * rows).sum(1), across], 1)

    @property
    def strongest(self) -> int:
        """The latent frame that has most of the word."""
        return int(self.time.mean((1, 2)).argmax())

    def __str__(self) -> str:
        begin, end = (
            [round(100 * float(share)) for share in point] for point in self.path[[0, -1]]
        )
        told = "" if self.word in self.caption.split() else ", which the caption does not name,"
        return (
            f"{self.word}{told} goes from {begin[0]} % down and {begin[1]} % across to"
            f" {end[0]} % and {end[1]} %; strongest in latent frame {self.strongest + 1} of"
            f" {len(self.time)}"
        )

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write both maps (`maps.safetensors`, named in `index.tsv`) and `overlay.mp4`; a folder
        that is there is replaced.
        """
        arrays = {"place": self.place, "time": self.time}
        rows = [{"map": name, "word": self.word, "caption": self.caption} for name in arrays]
        with written_whole(folder) as partial:
            partial.mkdir(parents=True)
            save_file(
                {name: value.cpu().contiguous() for name, value in arrays.items()}, partial / MAPS
            )
            write_table(pd.DataFrame(rows), partial / INDEX)
            write_video(partial / OVERLAY, overlay(self.video, self.place), self.fps)


def refuse_others(folder: str | os.PathLike[str]) -> None:
    """Raise a `UserError` for a folder of anything but an earlier location, which would be
    deleted.
    """
    place = Path(folder)
    names = {path.name for path in place.iterdir()} if place.is_dir() else set()
    if others := names - {MAPS, INDEX, OVERLAY}:
        raise UserError(
            f"{place}: expected a new folder, or one of an earlier `locate` to replace, got one"
            f" that also holds {min(others)}; choose another name"
        )


@torch.no_grad()
def locate(
    generator: Generator,
    video: torch.Tensor,
    word: str,
    caption: str,
    settings: MapSettings | None = None,
    reading: ReadingSettings | None = None,
    seed: int = 0,
) -> Location:
    """Find a word in a clip `(T, C, H, W)` in [0, 1]: it is noised and denoised once.

    Raises:
        UserError: words that the generator does not know, or a generator whose attention is not
            known.
    """
    settings, reading = settings or MapSettings(), reading or ReadingSettings()
    caption = readable(generator, caption)
    words = Words.of(generator, [caption], [[word]])
    z_xi = generator.encode(video[None].to(generator.device))
    timed = replace(settings, standardise="clip", contrast="pad")
    maps = renoised(generator, z_xi, [caption], words, [settings, timed], reading, seed)
    place, time = (found[0, 0].cpu() for found in maps)
    return Location(word, caption, video.cpu(), generator.fps, place, time)


def places_of(
    generator: Generator, video: torch.Tensor, word: str, caption: str, seed: int = 0
) -> torch.Tensor:
    """Where a word is in a clip `(T, C, H, W)`: 1 at the latent's places whose token is above its
    frame's mean, 0 elsewhere, `(t, h, w)`.

    Raises:
        UserError: as `locate` does.
    """
    found = locate(generator, video, word, caption, seed=seed)
    return of_latent(places(found.place), generator)
