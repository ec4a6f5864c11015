"""A finished run goes through DVC into a fresh clone: nothing is to be done there, and a change
redoes just what depends on it.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from pipeline import MINIATURE, module, planned, run, snakemake, transporter

CONCEPTS = 3
AFTER_THE_READINGS = {
    "concept_readings": CONCEPTS,
    **dict.fromkeys(("readings", "evaluation", "gallery", "versions", "table_pages"), 1),
}
THROUGH_PHI = dict.fromkeys(("readings_through_phi", "answers_through_phi"), 1)
OF_THE_VIDEOS = {
    "generation": CONCEPTS,
    "filmstrips": 1,
    **THROUGH_PHI,
    **AFTER_THE_READINGS,
}
OF_THE_BANK = {"concept_maps": 1, "concept_maps_report": 1, **OF_THE_VIDEOS}


def dvc(folder: Path, *words: str) -> None:
    done = module(folder, "dvc", *words)
    assert done.returncode == 0, done.stdout[-3000:]


def git(folder: Path, *words: str) -> None:
    who = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    done = run(folder, "git", *who, *words)
    assert done.returncode == 0, done.stdout[-3000:]


@pytest.fixture(scope="module")
def frozen(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A git repository of the finished run, frozen and pushed to a remote in a temporary folder."""
    home = tmp_path_factory.mktemp("frozen")
    project = home / "project"
    shutil.copytree(finished, project, symlinks=True)
    git(project, "init", "--quiet")
    dvc(project, "remote", "add", "--default", "kept", str(home / "remote"))
    said = transporter(project, "snapshot", "--configfile", "config/miniature.yaml")
    assert said.returncode == 0, said.stdout
    assert "git add data.dvc results.dvc provenance.json" in said.stdout
    git(project, "add", ".")
    git(project, "commit", "--quiet", "--message", "A run")
    return project


@pytest.fixture(scope="module")
def restored(frozen: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh clone into which the run has been brought back."""
    clone = tmp_path_factory.mktemp("restored") / "clone"
    git(frozen, "clone", "--quiet", str(frozen), str(clone))
    assert not (clone / "data").exists()
    assert not (clone / "results").exists()
    said = transporter(clone, "restore")
    assert said.returncode == 0, said.stdout
    return clone


def left_to_do(project: Path, *options: str) -> dict[str, int]:
    done = snakemake(project, "--dry-run", *MINIATURE, *options)
    assert done.returncode == 0, done.stdout[-3000:]
    return planned(done.stdout)


def test_nothing_is_to_be_done_in_a_fresh_clone(restored: Path) -> None:
    assert left_to_do(restored) == {}


def test_another_way_of_showing_redoes_the_page_alone(restored: Path) -> None:
    assert left_to_do(restored, "--config", "gallery={seeds: 1}") == {"gallery": 1}


def test_other_settings_of_the_bank_redo_what_comes_after_it(restored: Path) -> None:
    assert left_to_do(restored, "--config", "bank={ridge: 2}") == OF_THE_BANK


def test_more_clips_of_a_split_redo_what_reads_them(restored: Path) -> None:
    jobs = left_to_do(restored, "--config", "clips={splits: {validation: 9}}")
    before = (
        "world_split",
        "embed_generator",
        "embed_vlm",
        "embed_reencoded",
        "coupling",
        "coupling_literal",
        "coupling_report",
        "concept_maps_report",
        "table_pages",
    )
    # no clip of the page hangs on this split
    assert jobs == {**dict.fromkeys(before, 1), **THROUGH_PHI}


def test_a_changed_source_is_noticed_after_another_restore(restored: Path) -> None:
    """Not its age tells, which is new for all files of a clone, but what is in it."""
    table = restored / "config" / "concepts.tsv"
    before = table.read_text()
    table.write_text(
        before.replace(
            "red_blue\tobject\tred\tblue\twhat colour is it ?",
            "red_blue\tobject\tred\tblue\twhat colour ?",
        )
    )
    said = transporter(restored, "restore", "--no-pull")
    assert said.returncode == 0, said.stdout
    jobs = left_to_do(restored)
    table.write_text(before)
    assert jobs == {"coupling_report": 1, **OF_THE_BANK}
    assert transporter(restored, "restore", "--no-pull").returncode == 0
    assert left_to_do(restored) == {}


def test_a_folder_that_has_run_has_nothing_to_do_either(frozen: Path, tmp_path: Path) -> None:
    """Times of its own jobs are older than what comes back, and a killed job has left its mark."""
    project = tmp_path / "project"
    shutil.copytree(frozen, project, symlinks=True)
    record = next(path for path in (project / ".snakemake" / "metadata").glob("*="))
    (project / ".snakemake" / "incomplete" / record.name).write_text("{}")
    said = transporter(project, "restore")
    assert said.returncode == 0, said.stdout
    assert left_to_do(project) == {}


def test_an_unfinished_run_is_not_frozen(frozen: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    shutil.copytree(frozen, project, symlinks=True)
    (project / "results" / "evaluation" / "concepts.tsv").unlink()
    said = transporter(project, "snapshot", "--configfile", "config/miniature.yaml")
    assert said.returncode == 2
    assert said.stdout.startswith(
        "transporter: snapshot: expected a finished run, got one with jobs left to do"
    )
    assert len(said.stdout.splitlines()) == 1


def test_without_a_snapshot_there_is_nothing_to_restore(tmp_path: Path) -> None:
    said = transporter(tmp_path, "restore")
    assert said.returncode == 2
    assert "provenance.json: expected the records of a snapshot, found no such file" in said.stdout


def test_a_remote_that_is_not_there_is_said_in_one_line(frozen: Path, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    git(frozen, "clone", "--quiet", str(frozen), str(clone))
    dvc(clone, "remote", "modify", "kept", "url", str(tmp_path / "nowhere"))
    said = transporter(clone, "restore")
    assert said.returncode == 2
    assert said.stdout.startswith("transporter: data.dvc: expected its listing")
    assert len(said.stdout.splitlines()) == 1


def test_data_made_again_are_the_same_to_the_byte(restored: Path) -> None:
    shutil.rmtree(restored / "data" / "validation")
    made = snakemake(restored, "data/validation/captions.tsv", "--cores", "1", *MINIATURE)
    assert made.returncode == 0, made.stdout[-3000:]
    status = module(restored, "dvc", "status", "data.dvc")
    assert "up to date" in status.stdout, status.stdout
