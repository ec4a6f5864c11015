"""A user's own clips in tar files: taken out before they are divided, and only where they are."""

from __future__ import annotations

import io
import shutil
import tarfile
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

import pandas as pd
import pytest
from pipeline import copy_project, planned, snakemake

from microworld.dataset import make_clip
from microworld.renderer import FPS
from transporter.clips.writing import write_video
from transporter.support.files import read_table

FILES = ("--configfile", "config/miniature.yaml", "config/own_clips.yaml")
FAILED = ("--", "results/clips/failed.tsv")
PACKED = (
    "--config",
    "clips={folder: packed, layout: webdataset, left_out: 0.5}",
    "run={concepts: [slowly_quickly]}",
)
SHARDS, EACH, BAD = 2, 5, 6


def add(path: Path, members: Mapping[str, bytes]) -> None:
    """Append to an archive."""
    path.parent.mkdir(exist_ok=True)
    with tarfile.open(path, "a") as archive:
        for name, content in members.items():
            about = tarfile.TarInfo(name)
            about.size = len(content)
            archive.addfile(about, io.BytesIO(content))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten clips in two archives, one of which is no video."""
    folder = copy_project(tmp_path_factory.mktemp("packed") / "project")
    for number in range(SHARDS * EACH):
        file = folder / "clip.mp4"
        write_video(file, make_clip(number, 0, None).video, FPS)
        content = b"no video" if number == BAD else file.read_bytes()
        words = f"clip {number} moves slowly".encode()
        shard = folder / "packed" / f"shard-{number // EACH}.tar"
        add(shard, {f"{number % EACH}.mp4": content, f"{number % EACH}.txt": words})
    return folder


@pytest.fixture(scope="module")
def finished(project: Path) -> Path:
    done = snakemake(project, "--cores", "1", *FILES, *PACKED, *FAILED)
    assert done.returncode == 0, done.stdout[-3000:]
    return project


def splits(project: Path) -> pd.DataFrame:
    parts = [
        read_table(project / f"results/clips/{split}.tsv", ("clip",), text=("clip", "sha256"))
        for split in ("train", "validation", "held_out")
    ]
    return pd.concat(parts)


def test_clips_are_taken_out_and_divided(finished: Path) -> None:
    table = splits(finished)
    files = {
        str(file.relative_to(folder)): file
        for folder in (finished / "results" / "clips" / "unpacked").iterdir()
        for file in folder.rglob("*.mp4")
    }
    wanted = {f"shard-{n // EACH}/{n % EACH}.mp4" for n in range(SHARDS * EACH) if n != BAD}
    assert set(table["clip"]) == wanted
    assert set(files) == wanted
    for row in table.itertuples():
        assert sha256(files[row.file].read_bytes()).hexdigest() == row.sha256
    failed = read_table(finished / "results" / "clips" / "failed.tsv", ("clip",))
    assert failed["clip"].tolist() == ["shard-1/1.mp4"]
    assert planned(snakemake(finished, "--dry-run", *FILES, *PACKED, *FAILED).stdout) == {}


def test_one_more_clip_divides_its_split_anew(finished: Path, tmp_path: Path) -> None:
    shard = finished / "packed" / "shard-1.tar"
    shutil.copy2(shard, tmp_path / "kept.tar")
    add(shard, {"9.mp4": b"one more", "9.txt": b"it moves quickly"})
    jobs = planned(snakemake(finished, "--dry-run", *FILES, *PACKED, *FAILED).stdout)
    shutil.copy2(tmp_path / "kept.tar", shard)
    assert 1 <= jobs["own_split"] < 3
    assert planned(snakemake(finished, "--dry-run", *FILES, *PACKED, *FAILED).stdout) == {}


def test_a_hostile_archive_stops_before_any_job(finished: Path) -> None:
    add(finished / "packed" / "shard-2.tar", {"../../a.mp4": b"x", "../../a.txt": b"x"})
    done = snakemake(finished, "--dry-run", *FILES, *PACKED)
    (finished / "packed" / "shard-2.tar").unlink()
    assert done.returncode != 0 and "Traceback" not in done.stdout
    [line] = [line for line in done.stdout.splitlines() if "shard-2.tar" in line]
    assert line.startswith("--config: clips.folder: packed/shard-2.tar, '../../a.mp4': expected")
