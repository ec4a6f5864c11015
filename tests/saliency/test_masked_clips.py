"""Real clips with masks, scored by the shipped generator: rendered clips stand for them, in both
layouts.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from pycocotools.mask import encode

from microworld.places import placed
from transporter.clips.world import Placed
from transporter.generators.base import Generator
from transporter.pipeline.config import load_config
from transporter.pipeline.loading import load_generator
from transporter.saliency.masked_clips import masked_clips, masked_table
from transporter.saliency.settings import MapSettings, MaskSettings, ReadingSettings
from transporter.support.errors import UserError

ROOT = Path(__file__).parents[2]
CLIPS, SIZE = 4, (17, 64, 64)
KINDS = ("shape", "ground")


@pytest.fixture(scope="module")
def generator() -> Generator:
    settings = load_config(ROOT / "config/config.yaml")["generators"]["microworld"]
    path = str(ROOT / settings["path"])
    return load_generator(settings | {"path": path}, torch.device("cpu"))


def pictures(folder: Path, clip: Placed) -> list[str]:
    """The clip's frames as files, and their names."""
    folder.mkdir(parents=True)
    names = [f"{frame:05d}" for frame in range(len(clip.video))]
    for name, frame in zip(names, clip.video, strict=True):
        grey = (255 * frame.permute(1, 2, 0)).round().byte().numpy()
        Image.fromarray(grey).save(folder / f"{name}.jpg", quality=95)
    return names


def as_mevis(root: Path) -> None:
    videos, coded = {}, {}
    for number, clip in enumerate(placed(CLIPS, 0, True)):
        expressions = {}
        for place, kind in enumerate(KINDS):
            key = f"{number}{place}"
            expressions[key] = {"exp": clip.words[kind], "anno_id": [key]}
            frames = [np.asfortranarray(mask.numpy().astype(np.uint8)) for mask in clip.masks[kind]]
            codes = [encode(frame) for frame in frames]
            coded[key] = [code | {"counts": code["counts"].decode()} for code in codes]
        frames = pictures(root / "JPEGImages" / str(number), clip)
        videos[str(number)] = {"frames": frames, "expressions": expressions}
    (root / "meta_expressions.json").write_text(json.dumps({"videos": videos}))
    (root / "mask_dict.json").write_text(json.dumps(coded))


def as_vspw(root: Path) -> None:
    classes: dict[str, int] = {"others": 0}
    for number, clip in enumerate(placed(CLIPS, 0, True)):
        place = root / "data" / str(number)
        names = pictures(place / "origin", clip)
        (place / "mask").mkdir()
        labels = np.zeros(clip.masks["shape"].shape, np.uint8)
        for kind in KINDS:
            labels[clip.masks[kind].numpy()] = classes.setdefault(clip.words[kind], len(classes))
        for name, label in zip(names, labels, strict=True):
            Image.fromarray(label).save(place / "mask" / f"{name}.png")
    (root / "label_num_dic_final.json").write_text(json.dumps(classes))
    (root / "val.txt").write_text("\n".join(map(str, range(CLIPS))))


@pytest.mark.parametrize(("layout", "written"), [("mevis", as_mevis), ("vspw", as_vspw)])
def test_words_are_found_that_controls_do_not_find(
    generator: Generator, layout: str, written: Callable[[Path], None], tmp_path: Path
) -> None:
    written(tmp_path)
    clips = masked_clips(MaskSettings(layout, str(tmp_path), CLIPS), SIZE)
    table = masked_table(generator, clips, MapSettings(), ReadingSettings())
    rows = table.set_index("reading")
    best = rows.loc["default"]
    assert (best["clips"], best["words"]) == (CLIPS, 2 * CLIPS)
    assert best["ap"] > best["base"] + 0.3
    assert rows.loc["default, another word", "ap"] < best["ap"] - 0.2
    assert rows.loc["default, another clip", "clips"] == CLIPS - 1
    assert rows.loc["imap as released", "more"] < 0
    assert "iou_fixed" not in table and not table.isna().any(axis=None)


def test_intervals_are_of_clips(generator: Generator, tmp_path: Path) -> None:
    """One clip has no interval, however many words it has."""
    as_mevis(tmp_path)
    clips = masked_clips(MaskSettings("mevis", str(tmp_path), 1), SIZE)
    table = masked_table(generator, clips, MapSettings(), ReadingSettings())
    assert table["words"].eq(2).all() and table["ap_low"].equals(table["ap_high"])


def test_what_cannot_be_scored(generator: Generator, tmp_path: Path) -> None:
    def table(settings: MaskSettings) -> pd.DataFrame:
        clips = masked_clips(settings, SIZE)
        return masked_table(generator, clips, MapSettings(), ReadingSettings())

    with pytest.raises(UserError, match=r"masks\.folder: expected a folder of clips with masks"):
        table(MaskSettings())
    as_mevis(tmp_path)
    about = json.loads((tmp_path / "meta_expressions.json").read_text())
    for clip in about["videos"].values():
        clip["expressions"] = {}
    (tmp_path / "meta_expressions.json").write_text(json.dumps(about))
    with pytest.raises(UserError, match="expected a clip with a mask that covers some"):
        table(MaskSettings("mevis", str(tmp_path)))
    about["videos"]["0"]["expressions"] = {"0": {"exp": "zebra", "anno_id": ["00"]}}
    (tmp_path / "meta_expressions.json").write_text(json.dumps(about))
    with pytest.raises(UserError, match=r"^0: .*zebra"):
        table(MaskSettings("mevis", str(tmp_path)))
