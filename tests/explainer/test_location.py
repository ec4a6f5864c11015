"""Where a word is in one clip, by the shipped generator."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from microworld.places import placed
from transporter.clips.reading import read_video
from transporter.explainer.location import Location, locate, places_of, refuse_others
from transporter.generators.base import Generator
from transporter.pipeline.config import load_config
from transporter.pipeline.loading import load_generator
from transporter.saliency.scoring import averaged
from transporter.support.errors import UserError
from transporter.support.files import read_table

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def generator() -> Generator:
    settings = load_config(ROOT / "config/config.yaml")["generators"]["microworld"]
    path = str(ROOT / settings["path"])
    return load_generator(settings | {"path": path}, torch.device("cpu"))


@pytest.fixture(scope="module")
def found(generator: Generator) -> Location:
    clip = next(clip for clip in placed(20, 1, True) if clip.words["motion"] == "right")
    return locate(generator, clip.video, clip.words["shape"], clip.caption)


def test_a_word_goes_where_its_sprite_goes(generator: Generator, found: Location) -> None:
    clip = next(clip for clip in placed(20, 1, True) if clip.words["motion"] == "right")
    columns = (torch.arange(64) + 0.5) / 64
    centre = (clip.masks["shape"].sum(1) * columns).sum(1) / clip.masks["shape"].sum((1, 2))
    assert found.place.shape == generator.block_grid
    assert found.path[0, 1] == pytest.approx(float(centre[0]), abs=0.15)
    assert found.path[-1, 1] == pytest.approx(float(centre[-4:].mean()), abs=0.15)
    assert found.path[-1, 1] > found.path[0, 1]
    assert str(found).startswith(f"{clip.words['shape']} goes from ")


def test_what_is_kept(found: Location, tmp_path: Path) -> None:
    place = tmp_path / "located"
    found.save(place)
    assert torch.equal(load_file(place / "maps.safetensors")["place"], found.place)
    assert read_table(place / "index.tsv", ("map", "word", "caption"))["map"].tolist() == [
        "place",
        "time",
    ]
    assert read_video(place / "overlay.mp4", 17, 256, 316).shape == (17, 3, 256, 316)
    refuse_others(place)
    (place / "thesis").touch()
    with pytest.raises(UserError, match="also holds thesis"):
        refuse_others(place)


def test_the_places_of_a_word_are_those_of_its_sprite(generator: Generator) -> None:
    clip = next(clip for clip in placed(20, 1, True) if clip.words["motion"] == "right")
    there = places_of(generator, clip.video, clip.words["shape"], clip.caption)
    assert there.shape == generator.latent_shape[1:] and set(there.unique().tolist()) == {0, 1}
    sprite = averaged(clip.masks["shape"].float()[None], generator.latent_shape[1:])[0]
    assert there.mean() < 0.5 and (sprite * there).sum() > 0.8 * sprite.sum()
