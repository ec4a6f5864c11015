"""Clips of the shipped prompts by the shipped generator, with their maps."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from transporter.clips.reading import read_video
from transporter.figures.prompt_clips import write_prompted
from transporter.generators.base import Generator, Sampling
from transporter.pipeline.config import load_config
from transporter.pipeline.loading import load_generator
from transporter.saliency.prompted import Prompted, all_prompted, known, measured
from transporter.saliency.prompts import MOTION, Prompt, read_prompts
from transporter.saliency.settings import chosen

ROOT = Path(__file__).parents[2]
SEEDS = (0, 7)


@pytest.fixture(scope="module")
def generator() -> Generator:
    settings = load_config(ROOT / "config/config.yaml")["generators"]["microworld"]
    path = str(ROOT / settings["path"])
    return load_generator(settings | {"path": path}, torch.device("cpu"))


@pytest.fixture(scope="module")
def written(
    generator: Generator, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[int, Prompted], Path]:
    settings = chosen(load_config(ROOT / "config/config.yaml")["saliency"])
    unknown = Prompt("a zeppelin moves left", ("left",), (MOTION,))
    served, lacks = known(generator, [unknown, *read_prompts(ROOT / "config/prompts.tsv")])
    assert sorted(served) == [2, 3, 4]
    found = all_prompted(generator, {2: served[2]}, SEEDS, settings, Sampling(2, 3.0))
    folder = tmp_path_factory.mktemp("prompts") / "prompts"
    write_prompted(folder, generator, found, measured(found), lacks)
    return found, folder


def test_the_index_says_where_every_map_and_clip_is(
    generator: Generator, written: tuple[dict[int, Prompted], Path]
) -> None:
    found, folder = written
    index = pd.read_csv(folder / "index.tsv", sep="\t")
    maps = load_file(folder / "maps.safetensors")
    assert len(index) == sum(len(SEEDS) * len(some.prompt.words) for some in found.values())
    for row in index.itertuples():
        some = found[row.prompt]
        assert row.caption == some.prompt.text and some.prompt.words[row.row] == row.word
        place = some.place[SEEDS.index(row.seed), row.row]
        assert torch.equal(maps[f"{row.map}/place"][row.row], place)
        assert (folder / row.overlay).is_file()
    frames, _, height, width = generator.video_shape
    clip = read_video(folder / "clips/2/7.mp4", frames, height, width)
    with torch.no_grad():
        made = generator.decode(found[2].z_xi[1:])[0].clamp(0, 1)
    assert (clip - made).abs().mean() < 0.02


def test_prompts_that_were_left_out_are_named(written: tuple[dict[int, Prompted], Path]) -> None:
    failed = pd.read_csv(written[1] / "failed.tsv", sep="\t")
    assert failed["prompt"].tolist() == [1]
    assert "zeppelin" in failed["reason"][0]
