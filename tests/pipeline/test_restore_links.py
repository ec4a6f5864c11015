"""Links on the way of what is restored, and what is no file."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from strangers import (
    TABLE,
    contents,
    listed,
    record_name,
    refusal,
)

from transporter.pipeline import snapshot as freezing
from transporter.support.errors import UserError

pytestmark = pytest.mark.usefixtures("forked_tools")


@pytest.mark.parametrize(
    "name",
    [
        "data.dvc",
        "provenance.json",
        "data",
        "results",
        ".dvc",
        ".dvc/config",
        ".dvc/cache",
        ".dvc/tmp",
        ".dvc/tmp/rwlock",
        ".snakemake",
        ".snakemake/metadata",
        ".snakemake/incomplete",
        f".snakemake/metadata/{record_name(TABLE)}",
        "config",
        "config/config.yaml",
        "results/a",
        TABLE,
        "results/deep/down",
    ],
)
@pytest.mark.parametrize("within", [False, True])
def test_a_link_on_the_way(home: Path, clone: Path, name: str, within: bool) -> None:
    """To a folder or file outside, or to one inside where results have no business."""
    place = clone / name
    target = (clone / ".kept" if within else home / "kept") / place.name
    target.parent.mkdir()
    if place.exists():
        place.rename(target)
    elif place.suffix or "metadata/" in name:
        target.write_text("{}")
    else:
        target.mkdir()
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(target)
    assert "got a link to" in refusal(home)


@pytest.mark.parametrize(
    "name", ["data.dvc", "provenance.json", ".dvc/config", ".dvc/config.local"]
)
@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_file_is_not_waited_for(
    home: Path, clone: Path, name: str, make: Callable[[Path], None]
) -> None:
    (clone / name).unlink(missing_ok=True)
    make(clone / name)
    assert f"{clone / name}: expected" in refusal(home)


def test_links_that_lead_nowhere_or_round(home: Path, clone: Path) -> None:
    (clone / "results").mkdir()
    (clone / "results" / "a").symlink_to(home / "new_folder")
    assert "got a link to" in refusal(home)
    (clone / "results" / "a").unlink()
    (clone / "results" / "a").symlink_to("a")
    assert "got a link to" in refusal(home)


def test_a_link_in_the_remote(home: Path) -> None:
    """A remote that is a folder hands on what a link leads to, or nothing, but never the link."""
    name = "0" * 32
    place = home / "remote" / "files" / "md5" / name[:2] / name[2:]
    place.parent.mkdir(parents=True)
    place.symlink_to(home / ".bashrc")
    listed(home, {"md5": name, "relpath": "a"})
    before = contents(home, home / "clone")
    with suppress(UserError):
        freezing.restore(home / "clone")
    assert contents(home, home / "clone") == before
    assert not any(path.is_symlink() for path in (home / "clone").rglob("*"))
