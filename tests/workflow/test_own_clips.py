"""A user's own clips: the example that a rule makes, and ten clips through every stage."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pipeline import CORES, copy_project, planned, snakemake

from microworld.attributes import draw_attributes
from microworld.dataset import make_clip
from microworld.language import caption
from microworld.renderer import FPS
from transporter.clips.writing import write_video
from transporter.pipeline.splitting import choose_split
from transporter.support.files import write_table

EXAMPLE = ("--configfile", "config/own_clips.yaml")
SMALL = ("--configfile", "config/miniature.yaml", "config/own_clips.yaml")
OWN = (
    "--config",
    "clips={folder: my_clips}",
    "run={concepts: [slowly_quickly]}",
    "coupling={steps: 2, literal_steps: 0}",
    "bank={steps: 2, batch: 2}",
    "generation={phi: [0, 1], seeds: 1}",
    "gallery={seeds: 1}",
)
SEED = 7


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with ten clips in two folders that all say how fast something moves, as a person
    would write it, and a training clip that cannot be read.
    """
    folder = copy_project(tmp_path_factory.mktemp("own") / "project")
    rows = []
    for index in range(100):
        words = draw_attributes(np.random.default_rng([SEED, index])).words()
        if words["speed"] and len(rows) < 10:
            name = f"day{len(rows) % 2}/{len(rows):02d}.mp4"
            clip = make_clip(index, SEED, None).video
            write_video(folder / "my_clips" / "clips" / name, clip, FPS)
            rows.append({"clip": name, "caption": f"{caption(words)}, see ?".capitalize()})
    table = pd.DataFrame(rows)
    write_table(table, folder / "my_clips" / "captions.tsv")
    (folder / "my_clips" / "clips" / of_split(table, "train")[0]).write_bytes(b"no video")
    return folder


def of_split(table: pd.DataFrame, split: str) -> list[str]:
    """The clips of a split."""
    sizes = {"train": 0.7, "validation": 0.1, "held_out": 0.2}
    return choose_split(table, split, sizes, 0, "")["clip"].tolist()


def test_the_example_makes_its_folder_first(project: Path) -> None:
    jobs = planned(snakemake(project, "--dry-run", *EXAMPLE).stdout)
    assert (jobs["own_clips"], jobs["own_split"], jobs["failed_clips"]) == (1, 3, 1)
    assert jobs["embed_vlm"] == 3
    assert "world_split" not in jobs


def test_the_example_gives_every_concept_captions(project: Path) -> None:
    done = snakemake(project, "--cores", "1", *EXAMPLE, "--", "results/own_clips/captions.tsv")
    assert done.returncode == 0, done.stdout[-3000:]
    # now that the folder is there it is checked like any other
    jobs = planned(snakemake(project, "--dry-run", *EXAMPLE).stdout)
    assert "own_clips" not in jobs and jobs["own_split"] == 3


def test_clips_are_checked_before_any_job(project: Path) -> None:
    named = "run={concepts: [left_right, up_down]}"
    done = snakemake(project, "--dry-run", *SMALL, "--config", "clips={folder: my_clips}", named)
    assert done.returncode != 0
    [line] = [line for line in done.stdout.splitlines() if "expected captions in" in line]
    assert line.startswith("--config: clips.folder: expected captions in my_clips/captions.tsv")
    assert "rule " not in done.stdout and "Traceback" not in done.stdout


@pytest.fixture(scope="module")
def finished(project: Path) -> Path:
    """The project when its ten clips have run to the page; tests leave it as it is."""
    (project / "results").mkdir(exist_ok=True)
    (project / "results" / ".partial-0123abcd-gallery").mkdir()
    done = snakemake(project, *CORES, *SMALL, *OWN)
    assert done.returncode == 0, done.stdout[-5000:]
    (project / "said.txt").write_text(done.stdout)
    return project


def table_of(project: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(project / "results" / "clips" / f"{name}.tsv", sep="\t")


def plan(project: Path) -> dict[str, int]:
    return planned(snakemake(project, "--dry-run", *SMALL, *OWN).stdout)


def test_ten_clips_run_to_the_page(finished: Path) -> None:
    sizes = {split: len(table_of(finished, split)) for split in ("train", "validation", "held_out")}
    assert sizes == {"train": 6, "validation": 1, "held_out": 2}
    assert "slowly_quickly" in (finished / "results" / "gallery" / "index.html").read_text()
    assert not (finished / "results" / ".partial-0123abcd-gallery").exists()


def test_clips_in_folders_keep_their_names(finished: Path) -> None:
    index = pd.read_csv(
        next(finished.glob("results/embeddings/train/vlms/*/*/index.tsv")), sep="\t"
    )
    assert index["clip"].tolist() == table_of(finished, "train")["clip"].tolist()
    assert index["clip"].str.match(r"day\d/").all()


def test_the_clip_left_out_is_told_everywhere(finished: Path) -> None:
    [clip] = table_of(finished, "failed")["clip"]
    assert clip in (finished / "results" / "gallery" / "index.html").read_text()
    assert clip in (finished / "results" / "clips" / "failed.html").read_text()
    line = f"1 of 10 clips were left out: {clip}; results/clips/failed.tsv says why"
    assert line in (finished / "said.txt").read_text().splitlines()


def test_more_left_out_clips_than_allowed_stop_the_run(finished: Path) -> None:
    few = ("--config", "clips={folder: my_clips, left_out: 0.05}", *OWN[2:])
    jobs = planned(snakemake(finished, "--dry-run", *SMALL, *few).stdout)
    assert set(jobs) == {"failed_clips", "gallery", "table_pages"}


def test_a_clip_that_goes_and_comes_back_plans_nothing(finished: Path) -> None:
    clip = finished / "my_clips" / "clips" / table_of(finished, "train")["clip"][0]
    shutil.move(clip, finished / "away.mp4")
    assert "got no day" in snakemake(finished, "--dry-run", *SMALL, *OWN).stdout
    shutil.copy(finished / "away.mp4", clip)
    assert plan(finished) == {}


def test_a_replaced_clip_is_noticed_whatever_its_time(finished: Path) -> None:
    """What is made of its split, and of what is made of that, and nothing else."""
    clip, other = (
        finished / "my_clips" / "clips" / name for name in table_of(finished, "held_out")["clip"]
    )
    shutil.copy2(clip, finished / "kept.mp4")
    shutil.copy2(other, finished / "other.mp4")
    os.utime(finished / "other.mp4", (0, 0))
    os.replace(finished / "other.mp4", clip)
    jobs = plan(finished)
    os.replace(finished / "kept.mp4", clip)
    assert (jobs["own_split"], jobs["embed_generator"], jobs["embed_vlm"]) == (1, 1, 1)
    assert not {"coupling", "concept_maps"} & set(jobs)
    assert plan(finished) == {}


def test_shards_of_clips_that_stay_are_taken_again(finished: Path) -> None:
    """The job is run again, and embeds nothing."""
    [shard] = finished.glob("results/embeddings/train/generators/microworld/shard-*")
    before = shard.stat().st_ino
    done = snakemake(
        finished,
        "--cores",
        "1",
        *SMALL,
        *OWN,
        "--force",
        "--",
        str(shard.parent.relative_to(finished)),
    )
    assert done.returncode == 0, done.stdout[-3000:]
    assert shard.stat().st_ino == before
