"""The microworld as the library sees it."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from microworld.dataset import make_split, split_seed
from microworld.world import MICROWORLD
from transporter.clips.video import read_video
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
