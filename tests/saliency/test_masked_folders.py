"""Folders as MeViS and VSPW lay them out, made small here, with masks that are known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from pycocotools.mask import encode

from transporter.saliency.masked_folders import mevis, vspw
from transporter.support.errors import UserError

FRAMES, HEIGHT, WIDTH = 5, 12, 16
SIZE = (3, 12, 12)
"""The centre of every other frame: two columns fall away on either side."""


def things() -> tuple[np.ndarray, np.ndarray]:
    """A square that goes right, a column a frame, and a bar that is there in the first frame."""
    square, bar = np.zeros((2, FRAMES, HEIGHT, WIDTH), bool)
    for frame in range(FRAMES):
        square[frame, 2:6, 3 + frame : 7 + frame] = True
    bar[0, 8:10] = True
    return square, bar


def pictures(folder: Path) -> None:
    folder.mkdir(parents=True)
    for frame in range(FRAMES):
        grey = np.full((HEIGHT, WIDTH, 3), 40 * frame, np.uint8)
        Image.fromarray(grey).save(folder / f"{frame:05d}.jpg")


def code(mask: np.ndarray) -> dict[str, object]:
    found = encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"size": found["size"], "counts": found["counts"].decode()}


def expected(mask: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(mask[::2, :, 2:-2].copy())


@pytest.fixture
def mevis_folder(tmp_path: Path) -> Path:
    pictures(tmp_path / "JPEGImages/one")
    square, bar = things()
    about = {
        "frames": [f"{frame:05d}" for frame in range(FRAMES)],
        "expressions": {
            "0": {"exp": "square moving right", "obj_id": [0], "anno_id": [7]},
            "1": {"exp": "all of them", "obj_id": [0, 1], "anno_id": [7, 8]},
        },
    }
    coded = {
        "7": [code(part) for part in square],
        "8": [code(part) if part.any() else None for part in bar],
    }
    (tmp_path / "meta_expressions.json").write_text(json.dumps({"videos": {"one": about}}))
    (tmp_path / "mask_dict.json").write_text(json.dumps(coded))
    return tmp_path


def test_expressions_are_where_their_things_are(mevis_folder: Path) -> None:
    [clip] = mevis(mevis_folder, SIZE)
    square, bar = things()
    assert clip.name == "one" and clip.video.shape == (3, 3, 12, 12)
    greys = clip.video.mean((1, 2, 3)) * 255
    assert greys.tolist() == pytest.approx([0, 80, 160], abs=2)
    assert torch.equal(clip.masks["square moving right"], expected(square))
    assert torch.equal(clip.masks["all of them"], expected(square | bar))


def test_a_split_without_masks_is_refused(mevis_folder: Path) -> None:
    (mevis_folder / "mask_dict.json").write_text("{}")
    with pytest.raises(UserError, match="masks of clip one, got none of '7'"):
        next(mevis(mevis_folder, SIZE))
    (mevis_folder / "mask_dict.json").unlink()
    with pytest.raises(UserError, match=r"mask_dict.json: expected a file of the data set"):
        next(mevis(mevis_folder, SIZE))
    (mevis_folder / "meta_expressions.json").write_text("{")
    with pytest.raises(UserError, match="expected JSON"):
        next(mevis(mevis_folder, SIZE))


def test_classes_are_where_their_labels_are(tmp_path: Path) -> None:
    pictures(tmp_path / "data/1_a/origin")
    (tmp_path / "data/1_a/mask").mkdir()
    square, bar = things()
    labels = np.where(square, 3, np.where(bar, 255, 0)).astype(np.uint8)
    for frame, part in enumerate(labels):
        Image.fromarray(part).save(tmp_path / f"data/1_a/mask/{frame:05d}.png")
    table = {"others": 0, "wall": 1, "traffic_light": 3}
    (tmp_path / "label_num_dic_final.json").write_text(json.dumps(table))
    (tmp_path / "val.txt").write_text("1_a\n")
    [clip] = vspw(tmp_path, SIZE)
    assert clip.name == "1_a" and list(clip.masks) == ["traffic light"]
    assert torch.equal(clip.masks["traffic light"], expected(square))
    (tmp_path / "val.txt").write_text("1_a 2_b\n")
    with pytest.raises(UserError, match="2_b: expected a file of the data set"):
        list(vspw(tmp_path, SIZE))
