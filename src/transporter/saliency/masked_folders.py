"""Real clips with masks, from folders as MeViS (Ding et al., ICCV 2023) and VSPW (Miao et al., CVPR
2021) are published: https://github.com/henghuiding/MeViS, https://github.com/VSPW-dataset.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from pycocotools.mask import decode

from transporter.clips.fit import fitted
from transporter.support.errors import UserError

UNNAMED = ("others", "")
"""Names of VSPW's classes that are none."""
Size = tuple[int, int, int]
"""Frames, height and width of clips as a model takes them."""


@dataclass(frozen=True)
class Masked:
    """A clip, and where some words of it are.

    Attributes:
        name: of the clip in its data set.
        video: `(T, 3, H, W)` in [0, 1], frames spread evenly, the centre in the size asked for.
        masks: word or expression to where it is in every frame, `(T, H, W)` bool.
    """

    name: str
    video: torch.Tensor
    masks: Mapping[str, torch.Tensor]


def mevis(folder: str | os.PathLike[str], size: Size) -> Iterator[Masked]:
    """Clips of MeViS with the expressions of each, by the `JPEGImages`, `meta_expressions.json` and
    `mask_dict.json` of a split's folder; one that comes without masks has no `mask_dict.json`.

    Raises:
        UserError: a file is missing, or is not what is published.
    """
    root = Path(folder)
    videos = _table(root / "meta_expressions.json").get("videos")
    coded = _table(root / "mask_dict.json")
    if not isinstance(videos, Mapping):
        raise UserError(
            f"{root / 'meta_expressions.json'}: expected clips under `videos`, got none; give the"
            " folder of a split of MeViS"
        )
    for name, about in videos.items():
        try:
            frames = _spread(about["frames"], size[0])
            numbers = _spread(range(len(about["frames"])), size[0])
            expressions = {
                one["exp"]: [coded[str(number)] for number in one["anno_id"]]
                for one in about["expressions"].values()
            }
        except (KeyError, TypeError) as error:
            raise UserError(
                f"{root}: expected frames, expressions and masks of clip {name}, got none of"
                f" {error}; give a split of MeViS that has masks"
            ) from error
        pictures = [_picture(root / "JPEGImages" / name / f"{frame}.jpg") for frame in frames]
        shape = pictures[0].shape[:2]
        masks = {
            text: np.stack([_union(things, number, shape) for number in numbers])
            for text, things in expressions.items()
        }
        yield _masked(name, pictures, masks, size)


def vspw(folder: str | os.PathLike[str], size: Size, split: str = "val") -> Iterator[Masked]:
    """Clips of VSPW with each class that is seen in them, by the `data`, `label_num_dic_final.json`
    and `{split}.txt` of its folder.

    Raises:
        UserError: a file is missing, or is not what is published.
    """
    root = Path(folder)
    classes = {
        name.replace("_", " "): int(number)
        for name, number in _table(root / "label_num_dic_final.json").items()
        if name not in UNNAMED
    }
    for name in _found(root / f"{split}.txt").read_text(encoding="utf-8").split():
        place = _found(root / "data" / name)
        frames = _spread(sorted((place / "origin").glob("*.jpg")), size[0])
        pictures = [_picture(frame) for frame in frames]
        labels = np.stack([_labels(place / "mask" / f"{frame.stem}.png") for frame in frames])
        masks = {word: labels == number for word, number in classes.items()}
        seen = {word: mask for word, mask in masks.items() if mask.any()}
        yield _masked(name, pictures, seen, size)


def _masked(
    name: str, pictures: Sequence[np.ndarray], masks: Mapping[str, np.ndarray], size: Size
) -> Masked:
    """Pictures and masks cut alike."""
    _, height, width = size
    video = torch.stack([fitted(picture, 1, height, width) for picture in pictures])
    found = {}
    for word, mask in masks.items():
        grey = [np.repeat(255 * part.astype(np.uint8)[..., None], 3, 2) for part in mask]
        cut = [fitted(part, 1, height, width)[0] > 0.5 for part in grey]
        found[word] = torch.stack(cut)
    return Masked(name, video, found)


def _spread(values: Sequence[Any], count: int) -> list[Any]:
    """So many of some values, evenly, the first and the last among them."""
    if not len(values):
        raise UserError("masks: expected clips of at least one frame, got one without")
    return [values[place] for place in np.linspace(0, len(values) - 1, count).round().astype(int)]


def _union(things: Sequence[Sequence[Any]], number: int, shape: tuple[int, int]) -> np.ndarray:
    """Where any of some things is in a frame; one that is not seen has no code there."""
    found = np.zeros(shape, bool)
    for codes in things:
        if codes[number] is not None:
            found |= decode(codes[number]).astype(bool)
    return found


def _picture(path: Path) -> np.ndarray:
    with Image.open(_found(path)) as picture:
        return np.array(picture.convert("RGB"))  # one's own copy, which torch may write to


def _labels(path: Path) -> np.ndarray:
    with Image.open(_found(path)) as picture:
        return np.asarray(picture)


def _table(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(_found(path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{path}: expected JSON, got {error}; download it again") from error
    if not isinstance(found, dict):
        raise UserError(f"{path}: expected a table of names, got {type(found).__name__}")
    return found


def _found(path: Path) -> Path:
    if not path.exists():
        raise UserError(f"{path}: expected a file of the data set, found none; download it whole")
    return path
