"""A copy of the project, and its commands as a person types them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

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


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command of this environment in `folder`; standard output and error come as one text,
    `stdout`.
    """
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("SNAKEMAKE")
    }
    return subprocess.run(
        command,
        cwd=folder,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def snakemake(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run(folder, sys.executable, "-m", "snakemake", *arguments)


def transporter(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run(folder, sys.executable, "-c", "from transporter.cli import main; main()", *arguments)


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
