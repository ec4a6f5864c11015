"""A split is the same bytes for the same arguments, and its tables tell the truth about its
clips.
"""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from microworld.attributes import WORDS
from microworld.dataset import make_clip, make_split, read_mask
from microworld.language import caption
from microworld.renderer import FRAMES, SIZE
from microworld.splits import SPLITS, split_seed
from transporter.clips.reading import read_video
from transporter.support.errors import UserError
from transporter.support.files import read_table

CLIPS, SEED = 6, 3


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "train"
    make_split(folder, CLIPS, SEED, held_out=False)
    return folder


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_files(split: Path) -> None:
    names = [f"{index:05d}" for index in range(CLIPS)]
    expected = [
        "attributes.tsv",
        "captions.tsv",
        *(f"clips/{name}.mp4" for name in names),
        *(f"masks/{name}.png" for name in names),
    ]
    assert list(digests(split)) == expected


def test_equal_arguments_give_equal_bytes(split: Path, tmp_path: Path) -> None:
    make_split(tmp_path / "again", CLIPS, SEED, held_out=False)
    assert digests(tmp_path / "again") == digests(split)


def test_a_clip_does_not_depend_on_how_many_there_are(split: Path, tmp_path: Path) -> None:
    make_split(tmp_path / "fewer", 2, SEED, held_out=False)
    whole = digests(split)
    for name, digest in digests(tmp_path / "fewer").items():
        assert name.endswith(".tsv") or whole[name] == digest
    for table in ("captions.tsv", "attributes.tsv"):
        assert (split / table).read_text().startswith((tmp_path / "fewer" / table).read_text())


def test_other_seeds_give_other_clips(split: Path, tmp_path: Path) -> None:
    make_split(tmp_path / "other", 2, SEED + 1, held_out=False)
    assert not set(digests(tmp_path / "other").values()) & set(digests(split).values())


def test_clips_show_what_was_drawn(split: Path) -> None:
    for index in range(CLIPS):
        drawn = make_clip(index, SEED, held_out=False)
        video = read_video(split / "clips" / f"{index:05d}.mp4", FRAMES, SIZE, SIZE)
        assert -10 * torch.log10((video - drawn.video).square().mean()) > 27


def test_captions_and_attributes_agree(split: Path) -> None:
    captions = read_table(split / "captions.tsv", ("clip", "caption"))
    attributes = read_table(
        split / "attributes.tsv",
        ("clip", *WORDS, "hue", "size_degree", "speed_degree", "time_degree"),
    )
    assert (
        captions["clip"].tolist()
        == attributes["clip"].tolist()
        == [f"{index:05d}.mp4" for index in range(CLIPS)]
    )
    for index, (text, row) in enumerate(
        zip(captions["caption"], attributes.to_dict("records"), strict=True)
    ):
        drawn = make_clip(index, SEED, held_out=False).attributes
        assert (
            text == caption({name: row[name] or None for name in WORDS}) == caption(drawn.words())
        )
        assert row["hue"] == pytest.approx(drawn.hue, rel=1e-5)
        assert [row[f"{name}_degree"] for name in ("size", "speed", "time")] == pytest.approx(
            [drawn.size, drawn.speed, drawn.time], rel=1e-5
        )


def test_masks_are_one_bit_pictures_without_metadata(split: Path) -> None:
    path = split / "masks" / "00000.png"
    with Image.open(path) as image:
        assert (image.mode, image.size, image.info) == ("1", (SIZE, FRAMES * SIZE), {})
    mask = read_mask(path)
    np.testing.assert_array_equal(mask, make_clip(0, SEED, held_out=False).mask)


@pytest.mark.parametrize("held_out", [True, False])
def test_held_out_splits_hold_only_such_combinations(held_out: bool) -> None:
    assert all(make_clip(index, 0, held_out).attributes.held_out == held_out for index in range(20))


def test_splits_have_seeds_of_their_own() -> None:
    assert len({split_seed(seed, name) for seed in range(5) for name in SPLITS}) == 5 * len(SPLITS)
    assert split_seed(0, "train") == 3644140840635472811


def test_an_earlier_split_is_replaced(tmp_path: Path) -> None:
    make_split(tmp_path / "s", 2, 0, None)
    make_split(tmp_path / "s", 1, 0, None)
    assert [path.name for path in (tmp_path / "s" / "clips").iterdir()] == ["00000.mp4"]
    assert [path.name for path in tmp_path.iterdir()] == ["s"]


def test_a_folder_of_someone_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.doc").touch()
    with pytest.raises(
        UserError,
        match=(
            r"expected an empty folder or a split to replace, found thesis\.doc; choose another"
            r" folder"
        ),
    ):
        make_split(tmp_path, 1, 0, None)
    assert (tmp_path / "thesis.doc").exists()


def test_no_clips_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="expected at least one clip to make, got 0"):
        make_split(tmp_path / "s", 0, 0, None)
