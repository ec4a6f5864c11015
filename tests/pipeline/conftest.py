"""Tools that the library starts, in forks that have imported them."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
from forks import forks

from transporter.pipeline import snapshot


def _run(
    command: list[str], cwd: Path, env: dict[str, str], **_: object
) -> subprocess.CompletedProcess[str]:
    """`python -m tool ...`, its output in one text."""
    done = forks().run(cwd, "module", *command[2:], environment=env)
    return subprocess.CompletedProcess(command, done.returncode, done.stdout, "")


@pytest.fixture
def forked_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    """DVC and Snakemake, which a snapshot starts, start at once."""
    monkeypatch.setattr(snapshot, "subprocess", SimpleNamespace(run=_run))
