"""Tools that the library starts, in forks that have imported them, and a clone to restore."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
from forks import forks
from strangers import (
    SECRET,
    TABLE,
    dvc,
    record,
)

from transporter.pipeline import snapshot as freezing


def _run(
    command: list[str], cwd: Path, env: dict[str, str], **_: object
) -> subprocess.CompletedProcess[str]:
    """`python -m tool ...`, its output in one text."""
    done = forks().run(cwd, "module", *command[2:], environment=env)
    return subprocess.CompletedProcess(command, done.returncode, done.stdout, "")


@pytest.fixture
def forked_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    """DVC and Snakemake, which a snapshot starts, start at once."""
    monkeypatch.setattr(freezing, "subprocess", SimpleNamespace(run=_run))


@pytest.fixture(scope="session")
def frozen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds a clone without its results, and the remote that has them."""
    home = tmp_path_factory.mktemp("frozen")
    project = home / "clone"
    for name, text in {TABLE: "a\n", "data/clip": "frames\n", "config/config.yaml": "{}\n"}.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text)
    record(project, TABLE)
    dvc(project, "init", "--no-scm", "--quiet")
    dvc(project, "remote", "add", "--default", "kept", "../remote")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(freezing, "is_complete", lambda root, configfiles: True)
        freezing.snapshot(project)
    for name in ("data", "results", ".snakemake", ".dvc/cache", ".dvc/tmp"):
        shutil.rmtree(project / name)
    return home


@pytest.fixture
def home(frozen: Path, tmp_path: Path) -> Path:
    """A user's home: a file that runs at the next shell, a clone and its remote."""
    home = tmp_path / "home"
    shutil.copytree(frozen, home)
    (home / ".bashrc").write_text(SECRET)
    return home


@pytest.fixture
def clone(home: Path) -> Path:
    return home / "clone"
