"""Clones of strangers: whatever they name, nothing is written outside of their folders of results
and no code of theirs runs.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from pipeline import module
from strangers import (
    TABLE,
    contents,
    dvc,
    record_name,
    refusal,
)

from transporter.pipeline import snapshot as freezing
from transporter.support.errors import UserError

pytestmark = pytest.mark.usefixtures("forked_tools")


def test_an_honest_clone_is_restored(clone: Path) -> None:
    freezing.restore(clone)
    assert (clone / TABLE).read_text() == "a\n"
    assert (clone / "data" / "clip").read_text() == "frames\n"
    kept = json.loads((clone / freezing.RECORDS / record_name(TABLE)).read_text())
    assert kept["rule"] == "table"
    freezing.restore(clone)
    freezing.restore(clone, pull=False)


def test_the_ages_of_files_elsewhere_stay(home: Path, clone: Path) -> None:
    (home / "elsewhere").mkdir()
    (home / "elsewhere" / "times.tsv").write_text("s\n")
    os.utime(home / "elsewhere" / "times.tsv", (1, 1))
    (clone / "logs").symlink_to(home / "elsewhere")
    before = contents(home, clone)
    freezing.restore(clone)
    assert contents(home, clone) == before


def test_the_clones_modules_are_not_pythons(
    home: Path, clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python looks into the working folder first, where a clone may hold `dvc.py`; so here DVC is
    a process of its own.
    """
    monkeypatch.setattr(freezing, "subprocess", subprocess)
    for name in ("dvc", "yaml", "json", "encodings", "sitecustomize"):
        (clone / f"{name}.py").write_text("open('../caught', 'w').write('x')\n")
    freezing.restore(clone)
    assert (clone / TABLE).is_file()
    assert not (home / "caught").exists()


def test_results_that_are_kept_nowhere_are_not_replaced(clone: Path) -> None:
    freezing.restore(clone)
    (clone / TABLE).unlink()
    (clone / TABLE).write_text("of another run\n")
    with pytest.raises(UserError, match="--force"):
        freezing.restore(clone)
    assert (clone / TABLE).read_text() == "of another run\n"
    freezing.restore(clone, force=True)
    assert (clone / TABLE).read_text() == "a\n"


def test_a_cache_that_lacks_a_file_deletes_nothing(clone: Path) -> None:
    """DVC deletes a folder whole of which it cannot make one file."""
    freezing.restore(clone)
    content = hashlib.md5(b"a\n").hexdigest()
    (clone / ".dvc" / "cache" / "files" / "md5" / content[:2] / content[2:]).unlink()
    (clone / TABLE).unlink()
    (clone / "results" / "mine").write_text("by hand\n")
    with pytest.raises(UserError, match="got all but 1 of 2; fetch them"):
        freezing.restore(clone, pull=False, force=True)
    assert (clone / "results" / "mine").read_text() == "by hand\n"


def test_a_snapshot_that_was_not_pushed(home: Path) -> None:
    shutil.rmtree(home / "remote")
    (home / "remote").mkdir()
    message = refusal(home)
    assert "data.dvc: expected its listing" in message and "was the snapshot pushed?" in message


SNAKEFILE = """
rule last:
    input: "results/folder"
    output: "results/last.txt"
    benchmark: "logs/last.tsv"
    shell: "cp {input}/a.txt {output}"
rule first:
    input: "config/in.txt"
    output: directory("results/folder")
    benchmark: "logs/first.tsv"
    shell: "mkdir {output} && cp {input} {output}/a.txt"
rule all:
    default_target: True
    input: "results/last.txt"
"""


def test_nothing_is_to_be_done_in_a_folder_that_has_run(tmp_path: Path) -> None:
    """The times of its jobs stay as old as they are, the results become new; a job that was killed
    after the snapshot has left its mark.
    """
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "in.txt").write_text("a\n")
    (tmp_path / "Snakefile").write_text(SNAKEFILE)
    dvc(tmp_path, "init", "--no-scm", "--quiet")
    done = module(tmp_path, "snakemake", "--cores", "1", "--quiet")
    assert done.returncode == 0, done.stdout
    freezing.snapshot(tmp_path, push=False)
    for path in tmp_path.rglob("*"):
        os.utime(path, (1e9, 1e9))
    mark = tmp_path / ".snakemake" / "incomplete" / record_name("results/last.txt")
    mark.write_text("{}")
    freezing.restore(tmp_path, pull=False)
    assert freezing.is_complete(tmp_path)
    assert not mark.exists()
