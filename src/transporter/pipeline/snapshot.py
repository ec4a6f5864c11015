"""Freezing a finished run and bringing it back elsewhere, so that Snakemake there knows what was
made from what.

DVC keeps the bytes of `data/` and `results/`; git keeps their hashes (`data.dvc`, `results.dvc`)
and, in `provenance.json`, Snakemake's record of every output: its rule, parameters, and the
checksums of its inputs; and which library has decoded how many clips.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transporter.pipeline.clone_checks import (
    DVC,
    FOLDERS,
    INCOMPLETE,
    PROVENANCE,
    RECORDS,
    check_links,
    check_listing,
    check_settings,
    is_listing,
    read_outputs,
    read_provenance,
)
from transporter.pipeline.templates import refuse_code
from transporter.support.errors import UserError
from transporter.support.files import read_rows, written_whole
from transporter.support.hashes import file_hash

if TYPE_CHECKING:
    from dvc.repo import Repo

LOGS = "logs"
"""What jobs wrote and how long they took; Snakemake counts the latter among a job's outputs."""
INDEX = "index.tsv"
"""Of a folder of embeddings: who read which clip."""
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
    kept = {"records": records, "sources": sources, "readers": readers(root)}
    with written_whole(root / PROVENANCE) as partial:
        partial.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")
    if push:
        _run(root, "dvc", "push")
    return [*(f"{name}.dvc" for name in folders), PROVENANCE]


def readers(root: Path) -> dict[str, dict[str, int]]:
    """How many clips each library has decoded, with its version, by the folder of embeddings that
    they were read for.
    """
    counts = {}
    for index in sorted((root / "results" / "embeddings").rglob(INDEX)):
        try:
            served = [reader for _, (reader,) in read_rows(index, ["reader"])]
        except UserError:  # of latents and of edited captions, which no file was read for
            continue
        folder = index.parent.relative_to(root).as_posix()
        counts[folder] = dict(sorted(Counter(served).items()))
    return counts


def restore(root: Path, pull: bool = True, force: bool = False) -> None:
    """Bring a frozen run back into a clone, a fresh one or one that has run; afterwards Snakemake
    redoes only what has changed since.

    The clone may be a stranger's: nothing is written outside of its folders of results and what
    DVC and Snakemake keep, and none of its code runs.

    Args:
        pull: fetch from the DVC remote what the clone's cache lacks.
        force: replace results that no snapshot keeps.

    Raises:
        UserError: there is no snapshot in `root`, it asks for more than its results, DVC cannot
            fetch it, or it would replace results that are kept nowhere.
    """
    kept = read_provenance(root)
    if not (root / DVC).is_dir():
        raise UserError(f"restore: expected a clone of the project, found no .dvc in {root}")
    outputs = read_outputs(root)
    check_links(root)
    check_settings(root)
    contents = _take_listings(root, outputs, pull)
    files = [f"{name}.dvc" for name in outputs]
    if pull:
        _run(root, "dvc", "fetch", *files)
        # a remote that is a folder may hold links too
        check_links(root)
    # DVC would delete a folder whole of which it lacks one file
    lacking = [path for path in contents if not path.is_file()]
    if lacking:
        raise UserError(
            f"restore: expected all files of the snapshot in this clone's cache, got all but"
            f" {len(lacking)} of {len(contents)}; fetch them, without --no-pull"
        )
    _run(root, "dvc", "checkout", *(["--force"] if force else []), *files)
    for name, record in kept.records.items():
        with written_whole(root / RECORDS / name) as partial:
            partial.write_text(json.dumps(record))
        (root / INCOMPLETE / name).unlink(missing_ok=True)
    _set_ages(root, kept.sources)


def _take_listings(root: Path, outputs: Mapping[str, str], pull: bool) -> list[Path]:
    """Put DVC's listing of each folder into the clone's cache once all names in all of them are
    known to stay inside. Returns where the cache has, or will have, what they list.
    """
    from dvc.repo import Repo

    try:
        with Repo(os.fspath(root)) as repo:
            listings = {name: _listing(repo, name, outputs[name], pull) for name in outputs}
            hashes = [check_listing(data, name) for name, data in listings.items()]
            place = repo.cache.local.oid_to_path
            for name, data in listings.items():
                with written_whole(place(outputs[name])) as partial:
                    partial.write_bytes(data)
            return [Path(place(content)) for listed in hashes for content in listed]
    except UserError:
        raise
    except Exception as error:  # of DVC, and of whatever library reaches its remote
        words = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"restore: expected to read DVC's listings, got: {words[:300]}") from error


def _listing(repo: Repo, name: str, listing: str, pull: bool) -> bytes:
    """DVC's listing of a folder, from the clone's cache or else from the remote."""
    places = [lambda: repo.cache.local, *([repo.cloud.get_remote_odb] if pull else [])]
    for place in places:
        store = place()
        try:
            data = store.fs.cat_file(store.oid_to_path(listing))
        except FileNotFoundError:
            continue
        if is_listing(data, listing):
            return data
    where = "in the DVC remote" if pull else "in this clone's cache"
    raise UserError(
        f"{name}.dvc: expected its listing {listing} {where}, found none; was the snapshot pushed?"
    )


def is_complete(root: Path, configfiles: Sequence[str] = ()) -> bool:
    """Whether Snakemake has nothing to do.

    Raises:
        UserError: Snakemake refuses, or would run code in a file of settings.
    """
    for file in configfiles:
        refuse_code(root / file)
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


def _set_ages(root: Path, sources: Mapping[str, str]) -> None:
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
    """All results, and the times of earlier jobs: Snakemake takes a job for as old as the oldest
    of both.
    """
    folders = [root / name for name in (*FOLDERS, LOGS) if not (root / name).is_symlink()]
    for folder in folders:
        for place, _, files in os.walk(folder):
            yield Path(place)
            yield from (Path(place, file) for file in files)


def _run(root: Path, tool: str, *arguments: str) -> str:
    """Run a tool of this environment; its last words become the error.

    A file of the clone that is named as a module of Python is not taken for it.
    """
    done = subprocess.run(
        [sys.executable, "-m", tool, *arguments],
        cwd=root,
        env={**os.environ, "PYTHONSAFEPATH": "1"},
        capture_output=True,
        text=True,
        errors="replace",
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
