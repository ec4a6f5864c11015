"""A stranger's models, found by name or by place, run through the whole pipeline without a change
in this repository, as `docs/models.md` says.
"""

from __future__ import annotations

import os
import re
import shutil
import textwrap
import tomllib
from pathlib import Path

import pandas as pd
import pytest
import yaml
from pipeline import CORES, ROOT, copy_project, planned, snakemake

STRANGER = ROOT / "tests" / "stranger" / "tones.py"
PAGE = (ROOT / "docs" / "models.md").read_text()


def block(language: str) -> str:
    """The page's only block in a language."""
    [text] = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return textwrap.dedent(f"   {text.lstrip()}")


FEW = {
    "figures": {"seeds": 1},
    "gallery": {"seeds": 1},
    "clips": {"splits": {"train": 12, "validation": 4, "held_out": 16}},
    "generation": {"phi": [0, 1], "seeds": 1},
    "coupling": {"literal_steps": 0, "steps": 2, "batch": 4, "projections": 4},
    "bank": {"steps": 2, "batch": 2},
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the project, and the stranger's module on the path as an installed package's is."""
    site = tmp_path / "site"
    installed = site / "tones-1.0.dist-info"
    installed.mkdir(parents=True)
    shutil.copy2(STRANGER, site)
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: tones\nVersion: 1.0\n")
    groups = tomllib.loads(block("toml"))["project"]["entry-points"]
    lines = [
        f"[{group}]\n{name} = {place}\n"
        for group, offered in groups.items()
        for name, place in offered.items()
    ]
    (installed / "entry_points.txt").write_text("".join(lines))
    path = os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH")]))
    monkeypatch.setenv("PYTHONPATH", path)
    project = copy_project(tmp_path / "project")
    settings = {**yaml.safe_load(block("yaml")), **FEW}
    settings["run"]["concepts"] = ["red_blue"]
    settings["generators"]["theirs"]["steps"] = 3
    (project / "config" / "theirs.yaml").write_text(yaml.safe_dump(settings))
    return project


def test_a_strangers_models_run_to_the_end(project: Path) -> None:
    arguments = ("--configfile", "config/miniature.yaml", "config/theirs.yaml", *CORES)
    done = snakemake(project, *arguments, "--", "all")
    assert done.returncode == 0, done.stdout[-6000:]
    readings = pd.read_csv(project / "results" / "evaluation" / "readings.tsv", sep="\t")
    assert set(readings["generator"]) == set(readings["vlm"]) == {"theirs"}
    assert readings["log_odds"].nunique() > 1
    assert (project / "results" / "filmstrips" / "theirs" / "theirs" / "red_blue.png").is_file()
    # another line in their file makes what it goes into again, and no clip of the world
    module = project.parent / "site" / "tones.py"
    module.write_text(module.read_text().replace("return 4 * cells", "return 4.0 * cells"))
    again = planned(snakemake(project, *arguments, "--dry-run", "--", "all").stdout)
    assert {"embed_generator", "embed_vlm"} <= set(again)
    assert "world_split" not in again
