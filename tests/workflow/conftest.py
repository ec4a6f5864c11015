"""The whole pipeline, run once on a miniature in a copy of the project; the default settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from pipeline import CORES, MINIATURE, ROOT, copy_project, snakemake_alone


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


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The default settings, in a folder where the models' folders are there and empty."""
    for model in ("generator", "vlms/qwen2_vl", "probes", "clip_judge"):
        (tmp_path / "models" / model).mkdir(parents=True)
    (tmp_path / "config").mkdir()
    for table in ("concepts.tsv", "shortcuts.tsv", "prompts.tsv"):
        (tmp_path / "config" / table).write_text((ROOT / "config" / table).read_text())
    monkeypatch.chdir(tmp_path)
    return yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
