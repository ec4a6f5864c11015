"""A copy of the project, and its commands as a person types them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from forks import forks

ROOT = Path(__file__).resolve().parents[2]
PARTS = (
    "Snakefile",
    "config",
    "workflow",
    "profiles",
    "envs",
    "models",
    ".dvc",
    ".gitignore",
    ".dvcignore",
)
VARIANT = "results/ablations/p_4/evaluation/microworld/qwen2_vl/readings.tsv"
"""The end of one of the miniature's ablations, one that trains a coupling of its own."""
MINIATURE = ("--configfile", "config/miniature.yaml")
WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
CORES = ("--cores", str(min(2, max(1, (os.cpu_count() or 1) // WORKERS))))
"""Two for a whole run, or one where other tests run beside it and take the second."""


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("SNAKEMAKE")}


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command of this environment in `folder`, as a process of its own; standard output and
    error come as one text, `stdout`.
    """
    return subprocess.run(
        command,
        cwd=folder,
        env=_environment(),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def snakemake_alone(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Snakemake as a process of its own, whose jobs are forked from that of its run."""
    return run(folder, sys.executable, "-m", "snakemake", *arguments)


def snakemake(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Snakemake in a fork that has imported it, and so its jobs (see `forks`)."""
    return module(folder, "snakemake", *arguments)


def module(folder: Path, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`python -m name` in a fork."""
    return forks().run(folder, "module", name, *arguments, environment=_environment())


def transporter(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command line in a fork."""
    return forks().run(folder, "command_line", *arguments, environment=_environment())


def planned(output: str) -> dict[str, int]:
    """Rule to number of jobs, from the table that a dry run prints; empty when nothing is to be
    done.
    """
    if "Nothing to be done" in output:
        return {}
    table = output.split("Job stats:")[1].split("total")[0]
    return {
        rule: int(count)
        for rule, count in re.findall(r"^(\w+) +(\d+)$", table, re.MULTILINE)
        if rule != "all"
    }


def copy_project(target: Path) -> Path:
    """The parts of the project that a run needs, without data and results."""
    target.mkdir(parents=True)
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(
                source,
                target / part,
                ignore=shutil.ignore_patterns("__pycache__", "cache", "tmp", "config.local"),
            )
        else:
            shutil.copy2(source, target / part)
    return target
