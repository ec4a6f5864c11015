"""The microworld as the library sees it."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from microworld.clip_judge import ClipJudge
from microworld.dataset import make_split
from microworld.splits import SPLITS, split_seed
from microworld.world import MICROWORLD
from transporter.clips.reading import read_video
from transporter.support.errors import UserError
from transporter.support.files import read_table


def test_clips_are_those_of_a_runs_training_split(tmp_path: Path) -> None:
    make_split(tmp_path / "train", 3, split_seed(4, "train"), held_out=False)
    captions, videos = zip(*islice(MICROWORLD.clips(4), 3), strict=True)
    table = read_table(tmp_path / "train" / "captions.tsv", ("clip", "caption"), text=("clip",))
    assert table["caption"].tolist() == list(captions)
    for name, video in zip(table["clip"], videos, strict=True):
        frames, _, height, width = video.shape
        written = read_video(tmp_path / "train" / "clips" / name, frames, height, width)
        assert (written - video).abs().mean() < 0.02


@pytest.mark.parametrize("split", SPLITS)
def test_captions_are_those_that_a_split_is_written_with(tmp_path: Path, split: str) -> None:
    make_split(tmp_path / split, 4, split_seed(4, split), held_out=SPLITS[split])
    table = read_table(tmp_path / split / "captions.tsv", ("clip", "caption"), text=("clip",))
    assert list(islice(MICROWORLD.captions(4, split), 4)) == table["caption"].tolist()


def test_a_clip_judge_is_whole_or_refused(tmp_path: Path) -> None:
    ClipJudge().save_pretrained(tmp_path)
    place = tmp_path / "model.safetensors"
    tensors = {name: value.clone() for name, value in load_file(place).items()}
    MICROWORLD.clip_judge(tmp_path, torch.device("cpu"))
    name = sorted(tensors)[0]
    save_file({key: value for key, value in tensors.items() if key != name}, place)
    with pytest.raises(UserError, match=name) as error:
        MICROWORLD.clip_judge(tmp_path, torch.device("cpu"))
    place.write_bytes(b"")
    with pytest.raises(UserError, match="expected a clip judge") as error:
        MICROWORLD.clip_judge(tmp_path, torch.device("cpu"))
    assert "\n" not in str(error.value)
