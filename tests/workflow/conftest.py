"""The whole pipeline, run once on a miniature in a copy of the project."""

from __future__ import annotations

from pathlib import Path

import pytest
from pipeline import CORES, MINIATURE, copy_project, snakemake_alone


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project in which the miniature has run to its end, with the targets `paper`, `truth` and
    `explanations`;
    tests must leave it as it is.
    """
    project = copy_project(tmp_path_factory.mktemp("finished") / "project")
    done = snakemake_alone(
        project, *CORES, *MINIATURE, "--", "all", "paper", "truth", "explanations"
    )
    assert done.returncode == 0, done.stdout[-6000:]
    return project
