"""How long a person waits before anything happens: the command line, and a dry run of the default
against Snakemake's own of a single rule, side by side in one run.

Run in a clone: python benchmarks/start_up.py [rounds]
Prints the median seconds of processor time of each, and ratios; both also against the import of
torch, which neither needs.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

SNAKEMAKE = ("-m", "snakemake", "--dry-run", "--quiet", "all")
CLI = ("-c", "from transporter.cli import main; main()")
SMALLEST = "rule all:\n    output: 'a'\n    shell: 'touch {output}'\n"


def seconds(arguments: Sequence[str], folder: Path) -> float:
    """Processor time of one run of Python, its children's among it."""
    before = os.times()
    command = [sys.executable, *arguments]
    subprocess.run(
        command, cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    after = os.times()
    return (after.children_user - before.children_user) + (
        after.children_system - before.children_system
    )


def main(rounds: int) -> None:
    clone = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "Snakefile").write_text(SMALLEST)
        commands = {
            "import torch": (("-c", "import torch"), clone),
            "transporter --version": ((*CLI, "--version"), clone),
            "transporter concepts": ((*CLI, "concepts"), clone),
            "snakemake -n, one rule": (SNAKEMAKE, Path(folder)),
            "snakemake -n, the default": (SNAKEMAKE, clone),
        }
        times: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(rounds):
            for name, (arguments, place) in commands.items():
                times[name].append(seconds(arguments, place))
    medians = {name: statistics.median(values) for name, values in times.items()}
    for name, median in medians.items():
        print(f"{name}: {median:.2f} s")
    for name, other in (
        ("transporter concepts", "import torch"),
        ("snakemake -n, the default", "snakemake -n, one rule"),
        ("snakemake -n, the default", "import torch"),
    ):
        print(f"{name} / {other}: {medians[name] / medians[other]:.2f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
