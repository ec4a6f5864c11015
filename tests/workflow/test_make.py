"""`make`: where it cannot run, and after a run was killed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from pipeline import ROOT

if shutil.which("make") is None:
    pytest.skip("`make` is not installed", allow_module_level=True)


def project(folder: Path) -> Path:
    """The Makefile in a folder that is set up, with a program in place of Snakemake that tells what
    it was asked for.
    """
    (folder / ".venv" / "bin").mkdir(parents=True)
    (folder / "envs").mkdir()
    for name in ("envs/requirements.txt", "envs/uv.txt", "pyproject.toml", ".venv/.ready-default"):
        (folder / name).touch()
    program = folder / ".venv" / "bin" / "snakemake"
    program.write_text('#!/bin/sh\necho "snakemake $@"\n')
    program.chmod(0o755)
    shutil.copy(ROOT / "Makefile", folder)
    return folder


def make(folder: Path, target: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "--silent", target], cwd=folder, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("target", ["run", "setup", "test"])
def test_a_path_with_a_space_is_refused_before_anything_is_fetched(
    tmp_path: Path, target: str
) -> None:
    done = make(project(tmp_path / "my project"), target)
    assert done.returncode != 0 and done.stdout == ""
    [line] = done.stderr.splitlines()
    assert "expected a folder whose path holds no space, got" in line and "my project" in line


def test_a_lock_is_told_with_what_frees_it(tmp_path: Path) -> None:
    folder = project(tmp_path / "project")
    assert make(folder, "run").stdout.startswith("snakemake --cores all\n")
    (folder / ".snakemake" / "locks").mkdir(parents=True)
    assert make(folder, "run").returncode == 0
    (folder / ".snakemake" / "locks" / "0.output.lock").touch()
    done = make(folder, "run")
    assert done.returncode != 0 and done.stdout == ""
    assert done.stderr.startswith("This folder is locked") and "'make unlock'" in done.stderr
    assert make(folder, "unlock").stdout == "snakemake --unlock\n"


UV = """#!/bin/sh
echo "$@" >> asked
case "$*" in *{refused}*) exit 1 ;; esac
"""


@pytest.mark.parametrize("refused", ["aarch64-unknown-linux-gnu", "aarch64-apple-darwin"])
def test_pins_are_asked_of_every_platform_and_one_without_wheels_is_named(
    tmp_path: Path, refused: str
) -> None:
    folder = project(tmp_path / "project")
    program = folder / ".venv" / "bin" / "uv"
    program.write_text(UV.format(refused="nothing"))
    program.chmod(0o755)
    assert make(folder, "platforms").returncode == 0
    asked = (folder / "asked").read_text().splitlines()
    assert len(asked) == 3 and all("--require-hashes" in line for line in asked)
    assert sum("linux" in line for line in asked) == 2
    program.write_text(UV.format(refused=refused))
    done = make(folder, "platforms")
    assert done.returncode != 0
    assert f"{refused} lacks a wheel of what envs/requirements.txt pins" in done.stderr
