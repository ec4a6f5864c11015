"""Clips that are longer than the model's window: every job reads the same parts of them, and
several parts of a clip stay in one split.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from pipeline import ROOT, copy_project, snakemake

from microworld.attributes import draw_attributes
from microworld.dataset import make_clip
from microworld.language import caption
from microworld.probes import Probes
from microworld.renderer import FPS
from transporter.clips.reading import read_video
from transporter.clips.window import Window
from transporter.clips.writing import write_video
from transporter.support.files import write_table
from transporter.truth.change import natural_variation

SIZE, SEED = (17, 64, 64), 7
NATURAL = "results/truth/natural.tsv"
SPLITS = ("train", "validation", "held_out")
TABLES = [f"results/clips/{split}.tsv" for split in SPLITS]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with ten clips of three scenes each, one after another, but for one of a single
    scene.
    """
    folder = copy_project(tmp_path_factory.mktemp("windows") / "project")
    clips, rows = folder / "my_clips" / "clips", []
    for index in range(100):
        words = draw_attributes(np.random.default_rng([SEED, index])).words()
        if words["speed"] and len(rows) < 10:
            scenes = [make_clip(index + 1000 * scene, SEED, None).video for scene in range(3)]
            video = torch.cat(scenes if len(rows) else scenes[:1])
            write_video(clips / f"{len(rows)}.mp4", video, FPS)
            rows.append({"clip": f"{len(rows)}.mp4", "caption": caption(words)})
    write_table(pd.DataFrame(rows), folder / "my_clips" / "captions.tsv")
    done = snakemake(
        folder,
        "--cores",
        "1",
        "--configfile",
        "config/own_clips.yaml",
        "--config",
        "clips={folder: my_clips, windows: 3}",
        "run={concepts: [slowly_quickly]}",
        "world=microworld",
        "probes=models/probes",
        "--",
        NATURAL,
        *TABLES,
    )
    assert done.returncode == 0, done.stdout[-5000:]
    return folder


def table_of(project: Path, split: str) -> pd.DataFrame:
    return pd.read_csv(project / "results" / "clips" / f"{split}.tsv", sep="\t")


def test_windows_of_a_clip_lie_in_one_split(project: Path) -> None:
    tables = {split: table_of(project, split) for split in SPLITS}
    rows = pd.concat(tables.values())
    files = {split: set(table["file"]) for split, table in tables.items()}
    assert len(rows) == 28 and rows["clip"].is_unique
    assert sum(map(len, files.values())) == len(set().union(*files.values())) == 10
    starts = rows.groupby("file")["start"].apply(list)
    assert starts["0.mp4"] == [0] and starts["1.mp4"] == [0, 2.125, 4.25]
    captions = pd.read_csv(project / "my_clips" / "captions.tsv", sep="\t", index_col="clip")
    assert (rows["caption"] == rows["file"].map(captions["caption"])).all()


def test_probes_read_the_windows_that_the_table_names(project: Path) -> None:
    probes, table = (
        Probes.from_pretrained(ROOT / "models" / "probes"),
        table_of(project, "held_out"),
    )

    def variation(videos: list[torch.Tensor]) -> dict[str, float]:
        read = [probes.probabilities(video[None]) for video in videos]
        return natural_variation({name: torch.cat([one[name] for one in read]) for name in read[0]})

    clips = project / "my_clips" / "clips"
    rows = list(table.itertuples())
    windows = [read_video(clips / row.file, *SIZE, FPS, Window(row.start)) for row in rows]
    whole = [read_video(clips / row.file, *SIZE) for row in rows]
    found = pd.read_csv(project / NATURAL, sep="\t", index_col="attribute")["variation"]
    assert found.to_dict() == pytest.approx(variation(windows), rel=1e-4)
    assert found.to_dict() != pytest.approx(variation(whole), rel=1e-2)
