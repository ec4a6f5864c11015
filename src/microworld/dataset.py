"""Write a split of the microworld to disk: clips, captions, true attributes, sprite masks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image

from microworld.attributes import Attributes
from microworld.language import caption
from microworld.renderer import FPS, SIZE, draw_layout, render
from microworld.splits import draw_clip
from transporter.clips.writing import write_video
from transporter.support.errors import UserError
from transporter.support.files import write_table, written_whole

CONTENTS = ("attributes.tsv", "captions.tsv", "clips", "masks")


@dataclass(frozen=True)
class WorldClip:
    """One clip before it is written: `video` `(T, C, H, W)` float32 in [0, 1], `mask` `(T, H, W)`
    bool.
    """

    attributes: Attributes
    video: torch.Tensor
    mask: np.ndarray


def make_clip(index: int, seed: int, held_out: bool | None) -> WorldClip:
    """Clip `index` of the split with this seed, whatever the number of clips."""
    attributes, rng = draw_clip(index, seed, held_out)
    frames, mask = render(attributes, draw_layout(attributes, rng))
    return WorldClip(attributes, torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 255, mask)


def attribute_row(attributes: Attributes) -> dict[str, str | float]:
    """A row of `attributes.tsv`: the word of each attribute, empty in between two words, then the
    degrees.
    """
    words = {name: word or "" for name, word in attributes.words().items()}
    degrees = {f"{name}_degree": getattr(attributes, name) for name in ("size", "speed", "time")}
    return words | {"hue": attributes.hue} | degrees


def write_mask(path: Path, mask: np.ndarray) -> None:
    """Write a sprite mask `(T, H, W)` as a 1-bit PNG, the frames one below another."""
    Image.fromarray(mask.reshape(-1, mask.shape[-1])).save(path)


def read_mask(path: Path) -> np.ndarray:
    """Read what `write_mask` wrote: `(T, H, W)` bool."""
    with Image.open(path) as image:
        return np.array(image, dtype=bool).reshape(-1, SIZE, SIZE)


def make_split(folder: Path, clips: int, seed: int, held_out: bool | None) -> None:
    """Write `clips` clips; equal arguments give equal bytes.

    `folder` gets `clips/00000.mp4`, `captions.tsv` (clip, caption), `attributes.tsv` (clip, a word
    per attribute, `hue`, `size_degree`, `speed_degree`, `time_degree`) and `masks/00000.png` (T * H
    rows of W pixels). An earlier split in `folder` is replaced. `held_out` restricts to held-out
    (True) or training (False) combinations of attributes.

    Raises:
        UserError: no clip is asked for, or `folder` holds something else.
    """
    if clips < 1:
        raise UserError(f"{folder}: expected at least one clip to make, got {clips}")
    others = (
        sorted({path.name for path in folder.iterdir()} - set(CONTENTS)) if folder.is_dir() else []
    )
    if others:
        raise UserError(
            f"{folder}: expected an empty folder or a split to replace, found {others[0]}; choose"
            " another folder"
        )
    captions, rows = [], []
    with written_whole(folder) as partial:
        (partial / "masks").mkdir(parents=True)
        for index in range(clips):
            clip, name = make_clip(index, seed, held_out), f"{index:05d}"
            write_video(partial / "clips" / f"{name}.mp4", clip.video, FPS)
            write_mask(partial / "masks" / f"{name}.png", clip.mask)
            captions.append({"clip": f"{name}.mp4", "caption": caption(clip.attributes.words())})
            rows.append({"clip": f"{name}.mp4"} | attribute_row(clip.attributes))
        write_table(pd.DataFrame(captions), partial / "captions.tsv")
        write_table(pd.DataFrame(rows), partial / "attributes.tsv")
