"""What DVC's listings of a stranger's results may name."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from strangers import (
    EVIL,
    TABLE,
    contents,
    listed,
    refusal,
    rewritten,
    stored,
)

from transporter.pipeline import snapshot as freezing

pytestmark = pytest.mark.usefixtures("forked_tools")


@pytest.mark.parametrize(
    "name",
    [
        "../../.bashrc",
        "../.git/hooks/pre-commit",
        "{home}/.bashrc",
        "a/../../../.bashrc",
        "a//b",
        "./a",
        "",
        "..",
        ".git/hooks/pre-commit",
        "sub/.GIT/config",
        "sub/.dvc/config",
        "a\nb",
        "a\x00b",
    ],
)
@pytest.mark.parametrize("pull", [True, False])
def test_a_listing_that_names_another_place(home: Path, name: str, pull: bool) -> None:
    evil = stored(home, EVIL.encode())
    listed(home, {"md5": evil, "relpath": name.format(home=home)})
    if not pull:
        shutil.copytree(home / "remote", home / "clone" / ".dvc" / "cache")
    message = refusal(home, pull)
    assert message.startswith("DVC's listing of results: expected a name of a file")
    assert not (home / "clone" / "results").exists() and not (home / "clone" / "data").exists()


@pytest.mark.parametrize(
    "entry",
    [
        {"md5": "aa/../../../../../../.bashrc", "relpath": "a"},
        {"md5": "a", "relpath": "a"},
        {"md5": "0" * 32 + ".dir", "relpath": "a"},
        {"md5": ["0" * 32], "relpath": "a"},
        {"relpath": "a"},
        {"md5": "0" * 32, "relpath": "a", "remote": "other"},
        "a",
    ],
)
def test_a_listing_of_something_else(home: Path, entry: Any) -> None:
    listed(home, entry)
    assert refusal(home).startswith("DVC's listing of results: expected")


@pytest.mark.parametrize("data", [b"", b"{}", b"[", b"\xff", b"[" * 100_000])
def test_a_listing_that_is_none(home: Path, data: bytes) -> None:
    rewritten(home / "clone", md5=stored(home, data, ".dir"))
    assert refusal(home).startswith("DVC's listing of results: expected")


def test_a_listing_must_be_what_its_hash_says(home: Path, clone: Path) -> None:
    """A cache that came with the clone may hold another listing under that name."""
    listing = yaml.safe_load((clone / "results.dvc").read_text())["outs"][0]["md5"]
    place = Path("files", "md5", listing[:2], listing[2:])
    forged = json.dumps([{"md5": stored(home, EVIL.encode()), "relpath": "../../.bashrc"}])
    (clone / ".dvc" / "cache" / place.parent).mkdir(parents=True)
    (clone / ".dvc" / "cache" / place).write_text(forged)
    (clone / ".dvc" / "cache" / place).chmod(0o444)
    before = contents(home, clone)
    freezing.restore(clone)
    assert contents(home, clone) == before
    assert (clone / TABLE).read_text() == "a\n"
    (home / "remote" / place).chmod(0o644)
    (home / "remote" / place).write_text(forged)
    shutil.rmtree(clone / ".dvc" / "cache")
    assert "results.dvc: expected its listing" in refusal(home)
