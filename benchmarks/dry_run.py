"""What a dry run of many clips, VLMs and concepts takes beside Snakemake's own: a bare Snakefile
with as many jobs of as many rules, each of which waits for one of the rule before.

Run in a clone: python benchmarks/dry_run.py [clips] [concepts] [rounds]
The default is 10,000 clips, 50 concepts and the three embedded VLMs; clips are files of a few
bytes, in a folder that goes afterwards. Prints the median seconds of processor time of each, of the
first dry run, which reads every clip to know it by, and of the next ones, which do not.
"""

from __future__ import annotations

import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

PARTS = ("Snakefile", "config", "workflow", "profiles", "envs")
VLMS = ("qwen2_vl", "video_llama3", "gemma3")
KINDS = ("object", "action", "scene")
DRY = ("-m", "snakemake", "--dry-run", "--cores", "2")
RUN = (*DRY, "--quiet", "rules", "--configfile", "mine.yaml")


def project(folder: Path, clips: int, concepts: int) -> None:
    """A copy of the clone with so many clips of its own, whose captions hold all words."""
    for part in PARTS:
        copy = shutil.copytree if Path(part).is_dir() else shutil.copy2
        copy(part, folder / part)
    (folder / "models").symlink_to(Path("models").resolve())
    rows = [
        "\t".join((f"c{n:02d}", KINDS[n % 3], f"less{n:02d}", f"more{n:02d}", "which is it ?"))
        for n in range(concepts)
    ]
    header = "concept\tkind\tsource\ttarget\tquestion"
    (folder / "concepts.tsv").write_text("\n".join([header, *rows, ""]))
    lines = ["clip\tcaption"]
    (folder / "clips" / "clips").mkdir(parents=True)
    for number in range(clips):
        name = f"{number:05d}.mp4"
        (folder / "clips" / "clips" / name).write_text(name)
        words = [f"less{(number + step) % concepts:02d}" for step in range(3)]
        lines.append(f"{name}\tclip {number} is {' and '.join(words)}")
    (folder / "clips" / "captions.tsv").write_text("\n".join([*lines, ""]))
    settings = {
        "clips": {"source": "folder", "folder": "clips"},
        "world": None,
        "probes": None,
        "metrics": {"clip_judge": None},
        "concepts": "concepts.tsv",
        # as real models are run: each VLM has vectors, clips and readings of its own
        "bank": {"form": "vector"},
        "run": {"vlms": list(VLMS), "concepts": "all"},
    }
    (folder / "mine.yaml").write_text(yaml.safe_dump(settings))


def bare(folder: Path, jobs: Mapping[str, int]) -> None:
    """A Snakefile of rules with so many jobs."""
    rules: list[str] = []
    before = None
    for rule in jobs:
        rules += [f"rule {rule}:", f"    output: 'out/{rule}/{{n}}'", "    shell: 'true'"]
        if before:
            waited = f"out/{before}/{{int(w.n) % {jobs[before]}}}"
            rules.insert(-1, f"    input: lambda w: f'{waited}'")
        before = rule
    wanted = [f"[f'out/{rule}/{{n}}' for n in range({count})]" for rule, count in jobs.items()]
    text = "\n".join(["rule everything:", f"    input: {' + '.join(wanted)}", *rules, ""])
    (folder / "Snakefile").write_text(text)


def run(arguments: Sequence[str], folder: Path) -> tuple[float, str]:
    """Processor time of one run of Python, its children's among it, and what it printed."""
    before = os.times()
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    after = os.times()
    if done.returncode:
        sys.exit(done.stderr[-3000:])
    spent = after.children_user - before.children_user
    return spent + after.children_system - before.children_system, done.stdout


def planned(output: str) -> dict[str, int]:
    """Rule to number of jobs, from the table that a dry run prints."""
    table = output.split("Job stats:")[1].split("total")[0]
    found = re.findall(r"^(\w+) +(\d+)$", table, re.MULTILINE)
    return {rule: int(count) for rule, count in found if rule != "all"}


def main(clips: int, concepts: int, rounds: int) -> None:
    with tempfile.TemporaryDirectory() as place:
        whole, plain = Path(place, "whole"), Path(place, "bare")
        whole.mkdir()
        plain.mkdir()
        project(whole, clips, concepts)
        first, output = run(RUN, whole)
        jobs = planned(output)
        bare(plain, jobs)
        print(f"{clips} clips, {len(VLMS)} VLMs, {concepts} concepts: {sum(jobs.values())} jobs")
        print(f"first dry run: {first:.1f} s", flush=True)
        times: dict[str, list[float]] = {"dry run": [], "bare Snakefile": []}
        for _ in range(rounds):
            times["dry run"].append(run(RUN, whole)[0])
            times["bare Snakefile"].append(run((*DRY, "--quiet", "rules"), plain)[0])
    medians = {name: statistics.median(values) for name, values in times.items()}
    for name, median in medians.items():
        print(f"{name}: {median:.1f} s")
    print(f"more than Snakemake's own: {medians['dry run'] - medians['bare Snakefile']:.1f} s")


if __name__ == "__main__":
    given = [int(argument) for argument in sys.argv[1:]]
    main(*[*given, *(10_000, 50, 3)[len(given) :]])
