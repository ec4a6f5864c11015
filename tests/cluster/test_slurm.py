"""Jobs that a real Slurm runs make what jobs of this machine make.

It takes minutes and packages of the system, so it runs when it is asked for:
`TRANSPORTER_SLURM=1 python -m pytest tests/cluster`.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from local_slurm import lacking, slurm
from pipeline import MINIATURE, copy_project, snakemake_alone

from transporter.support.hashes import file_hash

ROOT = Path(__file__).parents[2]
SPLITS = ("validation", "held_out")
EMBEDDED = [f"results/embeddings/{split}/vlms/qwen2_vl/17x64x64@8" for split in SPLITS]
PLUGIN = "snakemake_executor_plugin_slurm"
WANTED = pytest.mark.skipif(
    "TRANSPORTER_SLURM" not in os.environ,
    reason="TRANSPORTER_SLURM is not set: the test starts a real Slurm and takes minutes",
)


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Snakemake's plug-in, with the hashes of envs/slurm.txt, in a folder of its own."""
    with pytest.MonkeyPatch.context() as patch:
        if importlib.util.find_spec(PLUGIN) is None:
            folder = tmp_path_factory.mktemp("plugin")
            install = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--no-deps"]
            pins = ["--require-hashes", "--requirement", str(ROOT / "envs/slurm.txt")]
            target = ["--target", str(folder), "--python", sys.executable]
            subprocess.run([*install, *pins, *target], check=True)
            paths = [os.environ.get("PYTHONPATH", ""), str(folder)]
            patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
        yield


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    if reason := lacking():
        pytest.skip(reason)
    with slurm(tmp_path_factory.mktemp("slurm")) as seen:
        yield seen


def contents(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): file_hash(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@WANTED
def test_a_part_of_the_miniature(plugin: None, jobs: Path, tmp_path: Path) -> None:
    """Two splits are rendered in one job, a group; then both are embedded at once, each on a GPU
    of its own.
    """
    there = copy_project(tmp_path / "cluster")
    profile = there / "profiles/slurm/config.yaml"
    settings = yaml.safe_load(profile.read_text())
    # a cluster without accounts and accounting
    settings["default-resources"] = {"slurm_partition": "gpu"}
    settings |= {"slurm-no-account": True, "slurm-status-command": "squeue"}
    settings |= {"groups": ["world_split=rendering"], "group-components": ["rendering=2"]}
    settings |= {"latency-wait": 5, "slurm-init-seconds-before-status-checks": 2}
    profile.write_text(yaml.safe_dump(settings))
    done = snakemake_alone(there, "--profile", "profiles/slurm", *MINIATURE, "--", *EMBEDDED)
    assert done.returncode == 0, done.stdout[-6000:]
    given = [line.split()[1] for line in jobs.read_text().splitlines()]
    assert given[0] == "none" and sorted(given[1:]) == ["0", "1"]

    here = copy_project(tmp_path / "here")
    done = snakemake_alone(here, "--cores", "1", *MINIATURE, "--", *EMBEDDED)
    assert done.returncode == 0, done.stdout[-6000:]
    for folder in EMBEDDED:
        assert contents(there / folder) == contents(here / folder)


TWO_GPUS = """
rule both:
    output: "seen.txt"
    resources: gpu=2, mem_mb=100, runtime=1
    shell: "echo $CUDA_VISIBLE_DEVICES >> {output}"
"""


@WANTED
@pytest.mark.parametrize("tasks", [[], ["tasks=0"]])
def test_a_rule_that_holds_two_gpus_is_one_process(
    tasks: list[str], plugin: None, jobs: Path, tmp_path: Path
) -> None:
    (tmp_path / "Snakefile").write_text(TWO_GPUS)
    options = ["--executor", "slurm", "--jobs", "1", "--slurm-no-account"]
    options += ["--slurm-status-command", "squeue", "--latency-wait", "5"]
    options += ["--slurm-init-seconds-before-status-checks", "2"]
    resources = ["--default-resources", "slurm_partition=gpu", *tasks]
    done = snakemake_alone(tmp_path, *options, *resources, "--", "seen.txt")
    assert done.returncode == 0, done.stdout[-6000:]
    assert (tmp_path / "seen.txt").read_text() == "0,1\n"
