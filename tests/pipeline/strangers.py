"""Clones of strangers, and what restoring them may change."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from pipeline import module

from transporter.pipeline import snapshot as freezing
from transporter.support.errors import UserError

TABLE = "results/a/table.tsv"
SECRET = "export PATH=mine\n"
EVIL = "echo caught\n"


def dvc(folder: Path, *words: str) -> None:
    done = module(folder, "dvc", *words)
    assert done.returncode == 0, done.stdout


def record_name(output: str) -> str:
    return base64.urlsafe_b64encode(output.encode()).decode()


def record(root: Path, output: str) -> None:
    place = root / freezing.RECORDS / record_name(output)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(json.dumps({"rule": "table", "input": ["config/config.yaml"]}))


def contents(folder: Path, without: Path) -> dict[str, tuple[str, float]]:
    """Text (or target) and age of every file but those in one folder."""
    found = {}
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if Path(place, name) != without]
        for path in (Path(place, name) for name in files):
            text = os.readlink(path) if path.is_symlink() else path.read_text(errors="replace")
            found[str(path)] = (text, path.lstat().st_mtime)
    return found


def stored(home: Path, data: bytes, ending: str = "") -> str:
    """Put bytes into the remote; gives their name there."""
    name = hashlib.md5(data).hexdigest() + ending
    place = home / "remote" / "files" / "md5" / name[:2] / name[2:]
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(data)
    return name


def listed(home: Path, *entries: dict[str, Any]) -> None:
    """Let the clone's results be what these entries of a listing say."""
    listing = stored(home, json.dumps(list(entries)).encode(), ".dir")
    rewritten(home / "clone", md5=listing)


def rewritten(clone: Path, name: str = "results.dvc", **changes: Any) -> None:
    content = yaml.safe_load((clone / name).read_text())
    content["outs"][0] |= changes
    (clone / name).write_text(yaml.safe_dump(content))


def with_provenance(clone: Path, change: Callable[[dict[str, Any]], None]) -> None:
    kept = json.loads((clone / "provenance.json").read_text())
    change(kept)
    (clone / "provenance.json").write_text(json.dumps(kept))


def refusal(home: Path, pull: bool = True) -> str:
    """What restore says; nothing outside of the clone has changed and no result is there."""
    before = contents(home, home / "clone")
    with pytest.raises(UserError) as caught:
        freezing.restore(home / "clone", pull)
    assert contents(home, home / "clone") == before
    assert (home / ".bashrc").read_text() == SECRET
    hook = home / "clone" / ".git" / "hooks" / "pre-commit"
    assert not hook.exists()
    assert "\n" not in str(caught.value)
    return str(caught.value)
