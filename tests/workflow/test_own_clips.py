"""A user's own clips: the example that a rule makes, and ten clips through every stage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pipeline import copy_project, planned, snakemake

from microworld.attributes import draw_attributes
from microworld.dataset import make_clip
from microworld.language import caption
from microworld.renderer import FPS
from transporter.clips.writing import write_video
from transporter.support.files import write_table

EXAMPLE = ("--configfile", "config/own_clips.yaml")
SMALL = ("--configfile", "config/miniature.yaml", "config/own_clips.yaml")
OWN = (
    "--config",
    "clips={folder: my_clips}",
    "run={concepts: [slowly_quickly]}",
    "coupling={steps: 6}",
)
SEED = 7


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with ten clips that all say how fast something moves."""
    folder = copy_project(tmp_path_factory.mktemp("own") / "project")
    rows = []
    for index in range(100):
        words = draw_attributes(np.random.default_rng([SEED, index])).words()
        if words["speed"] and len(rows) < 10:
            name = f"{len(rows):02d}.mp4"
            clip = make_clip(index, SEED, None).video
            write_video(folder / "my_clips" / "clips" / name, clip, FPS)
            rows.append({"clip": name, "caption": caption(words)})
    write_table(pd.DataFrame(rows), folder / "my_clips" / "captions.tsv")
    return folder


def test_the_example_makes_its_folder_first(project: Path) -> None:
    jobs = planned(snakemake(project, "--dry-run", *EXAMPLE).stdout)
    assert (jobs["own_clips"], jobs["own_split"], jobs["embed_vlm"]) == (1, 3, 3)
    assert "world_split" not in jobs


def test_the_example_gives_every_concept_captions(project: Path) -> None:
    done = snakemake(project, "--cores", "1", *EXAMPLE, "--", "results/own_clips/captions.tsv")
    assert done.returncode == 0, done.stdout[-3000:]
    # now that the folder is there it is checked like any other
    jobs = planned(snakemake(project, "--dry-run", *EXAMPLE).stdout)
    assert "own_clips" not in jobs and jobs["own_split"] == 3


def test_clips_are_checked_before_any_job(project: Path) -> None:
    done = snakemake(
        project, "--dry-run", *SMALL, "--config", "clips={folder: my_clips}", "run={concepts: all}"
    )
    assert done.returncode != 0
    [line] = [line for line in done.stdout.splitlines() if "expected captions in" in line]
    assert line.startswith("--config: clips.folder: expected captions in my_clips/captions.tsv")
    assert "rule " not in done.stdout and "Traceback" not in done.stdout


def test_ten_clips_run_to_the_page(project: Path) -> None:
    done = snakemake(project, "--cores", "2", *SMALL, *OWN)
    assert done.returncode == 0, done.stdout[-5000:]
    sizes = {
        split: len(pd.read_csv(project / "results" / "clips" / f"{split}.tsv", sep="\t"))
        for split in ("train", "validation", "held_out")
    }
    assert sizes == {"train": 7, "validation": 1, "held_out": 2}
    assert "slowly_quickly" in (project / "results" / "gallery" / "index.html").read_text()
