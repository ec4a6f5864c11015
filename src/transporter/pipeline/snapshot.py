"""Freezing a finished run and bringing it back elsewhere, so that Snakemake there knows what was
made from what.

DVC keeps the bytes of `data/` and `results/`; git keeps their hashes (`data.dvc`, `results.dvc`)
and, in `provenance.json`, Snakemake's record of every output: its rule, parameters, and the
checksums of its inputs.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from transporter.support.errors import UserError
from transporter.support.files import written_whole
from transporter.support.hashes import file_hash

FOLDERS = ("data", "results")
RECORDS = Path(".snakemake/metadata")
PROVENANCE = "provenance.json"
SCRIPTS = "workflow/scripts"
REMOTE = "core.remote="
"""How DVC's list of settings begins the line of the default remote."""
NOTHING = "Nothing to be done"
FRESH = 2
"""Seconds by which a source that has changed is made younger than the results."""


def snapshot(root: Path, push: bool = True, configfiles: Sequence[str] = ()) -> list[str]:
    """Freeze a finished run: DVC takes its folders, `provenance.json` its records. Returns the
    files to commit to git.

    Raises:
        UserError: `root` is no DVC repository, there is no remote to push to, the run is not
            finished, or DVC refuses.
    """
    if not (root / ".dvc").is_dir():
        raise UserError(f"snapshot: expected a clone of the project, found no .dvc in {root}")
    if push and not has_remote(root):
        raise UserError(
            "snapshot: expected a default remote that DVC can push to, found none; add one with"
            " `dvc remote add --default NAME PLACE` (a folder will do), or keep the bytes in this"
            " clone's cache with `--no-push`"
        )
    if not is_complete(root, configfiles):
        raise UserError(
            "snapshot: expected a finished run, got one with jobs left to do; run `snakemake"
            " --cores all` first"
        )
    folders = [name for name in FOLDERS if (root / name).is_dir()]
    _run(root, "dvc", "add", *folders)
    records = {
        path.relative_to(root / RECORDS).as_posix(): json.loads(path.read_text())
        for path in _records(root)
    }
    sources = {path: file_hash(root / path) for path in _sources(root, records.values())}
    with written_whole(root / PROVENANCE) as partial:
        partial.write_text(
            json.dumps({"records": records, "sources": sources}, indent=1, sort_keys=True) + "\n"
        )
    if push:
        _run(root, "dvc", "push")
    return [*(f"{name}.dvc" for name in folders), PROVENANCE]


def restore(root: Path, pull: bool = True) -> None:
    """Bring a frozen run back into a clone; afterwards Snakemake redoes only what has changed
    since.

    Raises:
        UserError: there is no snapshot in `root`, or DVC cannot fetch it.
    """
    if not (root / PROVENANCE).is_file():
        raise UserError(
            f"{root / PROVENANCE}: expected the records of a snapshot, found no such file;"
            " `transporter snapshot` makes one"
        )
    kept = json.loads((root / PROVENANCE).read_text())
    _run(root, "dvc", *(("pull", "--quiet") if pull else ("checkout", "--quiet")))
    for name, record in kept["records"].items():
        path = root / RECORDS / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(record))
    _set_ages(root, kept["sources"])


def is_complete(root: Path, configfiles: Sequence[str] = ()) -> bool:
    """Whether Snakemake has nothing to do."""
    options = ["--configfile", *configfiles] if configfiles else []
    return NOTHING in _run(root, "snakemake", "--dry-run", "--quiet", "all", *options)


def has_remote(root: Path) -> bool:
    """Whether DVC knows where to push to."""
    settings = _run(root, "dvc", "config", "--list").splitlines()
    return any(line.startswith(REMOTE) for line in settings)


def _records(root: Path) -> Iterator[Path]:
    """Snakemake's records of the outputs that exist; the name of a record is its output's, in base
    64, cut into folders if long.
    """
    for path in sorted((root / RECORDS).rglob("*")):
        if path.is_file():
            name = "".join(
                part.removeprefix("@") for part in path.relative_to(root / RECORDS).parts
            )
            if (root / base64.urlsafe_b64decode(name).decode()).exists():
                yield path


def _sources(root: Path, records: Iterable[dict[str, Any]]) -> list[str]:
    """Everything in git that a result was made from: inputs that no rule makes, and scripts."""
    inputs = {path for record in records for path in record["input"] or ()}
    outside = {
        path for path in inputs if Path(path).parts[0] not in FOLDERS and (root / path).is_file()
    }
    return sorted(
        outside | {path.relative_to(root).as_posix() for path in (root / SCRIPTS).glob("*.py")}
    )


def _set_ages(root: Path, sources: dict[str, str]) -> None:
    """Make all results equally old, and younger than what they were made from unless that has
    changed since.
    """
    now = time.time()
    for path in _contents(root):
        os.utime(path, (now, now), follow_symlinks=False)
    for name, recorded in sources.items():
        if (root / name).is_file():
            age = now - FRESH if file_hash(root / name) == recorded else now + FRESH
            os.utime(root / name, (age, age))


def _contents(root: Path) -> Iterator[Path]:
    for name in FOLDERS:
        if (root / name).is_dir():
            yield root / name
            yield from (root / name).rglob("*")


def _run(root: Path, tool: str, *arguments: str) -> str:
    """Run a tool of this environment; its last words become the error."""
    done = subprocess.run(
        [sys.executable, "-m", tool, *arguments], cwd=root, capture_output=True, text=True
    )
    output = done.stdout + done.stderr
    if done.returncode:
        words = [line.strip() for line in output.splitlines() if line.strip()] or [
            "it said nothing"
        ]
        telling = next((line for line in words if line.startswith("ERROR")), words[-1])
        raise UserError(
            f"{tool} {' '.join(arguments)}: expected success, got exit code {done.returncode}:"
            f" {telling}"
        )
    return output
