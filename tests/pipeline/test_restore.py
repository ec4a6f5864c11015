"""Clones of strangers: whatever they name, nothing is written outside of their folders of results
and no code of theirs runs.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from contextlib import suppress
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


pytestmark = pytest.mark.usefixtures("forked_tools")


def dvc(folder: Path, *words: str) -> None:
    done = module(folder, "dvc", *words)
    assert done.returncode == 0, done.stdout


def record_name(output: str) -> str:
    return base64.urlsafe_b64encode(output.encode()).decode()


def record(root: Path, output: str) -> None:
    place = root / freezing.RECORDS / record_name(output)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(json.dumps({"rule": "table", "input": ["config/config.yaml"]}))


@pytest.fixture(scope="module")
def frozen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds a clone without its results, and the remote that has them."""
    home = tmp_path_factory.mktemp("frozen")
    project = home / "clone"
    for name, text in {TABLE: "a\n", "data/clip": "frames\n", "config/config.yaml": "{}\n"}.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text)
    record(project, TABLE)
    dvc(project, "init", "--no-scm", "--quiet")
    dvc(project, "remote", "add", "--default", "kept", "../remote")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(freezing, "is_complete", lambda root, configfiles: True)
        freezing.snapshot(project)
    for name in ("data", "results", ".snakemake", ".dvc/cache", ".dvc/tmp"):
        shutil.rmtree(project / name)
    return home


@pytest.fixture
def home(frozen: Path, tmp_path: Path) -> Path:
    """A user's home: a file that runs at the next shell, a clone and its remote."""
    home = tmp_path / "home"
    shutil.copytree(frozen, home)
    (home / ".bashrc").write_text(SECRET)
    return home


@pytest.fixture
def clone(home: Path) -> Path:
    return home / "clone"


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


def test_an_honest_clone_is_restored(clone: Path) -> None:
    freezing.restore(clone)
    assert (clone / TABLE).read_text() == "a\n"
    assert (clone / "data" / "clip").read_text() == "frames\n"
    kept = json.loads((clone / freezing.RECORDS / record_name(TABLE)).read_text())
    assert kept["rule"] == "table"
    freezing.restore(clone)
    freezing.restore(clone, pull=False)


@pytest.mark.parametrize(
    "name",
    [
        "../../../.bashrc",
        "/{home}/.bashrc",
        "@aa/../../../../.bashrc",
        "",
        ".",
        record_name("../.bashrc"),
        record_name("/etc/passwd"),
        record_name("results/../../.bashrc"),
        record_name("config/config.yaml"),
        record_name("results/.git/hooks/pre-commit"),
        "@" + record_name("results") + "/..",
        "not base 64 !",
        "_w==",
    ],
)
def test_a_record_of_another_place(home: Path, clone: Path, name: str) -> None:
    name = name.format(home=home)
    with_provenance(clone, lambda kept: kept["records"].update({name: {"input": []}}))
    assert "provenance.json: record: expected" in refusal(home)


@pytest.mark.parametrize("name", ["../.bashrc", "{home}/.bashrc", "config/../../.bashrc", ""])
def test_a_source_of_another_place(home: Path, clone: Path, name: str) -> None:
    name = name.format(home=home)
    with_provenance(clone, lambda kept: kept["sources"].update({name: "0"}))
    assert "provenance.json: source: expected" in refusal(home)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        "{}",
        '{"records": [], "sources": {}}',
        '{"records": {"cmVzdWx0cy9h": 1}, "sources": {}}',
        '{"records": {"cmVzdWx0cy9h": {"input": "x"}}, "sources": {}}',
        '{"records": {}, "sources": {"config/config.yaml": 1}}',
        "[" * 100_000,
        '{"records": {"cmVzdWx0cy9h": {"input"',
        "\ud800".encode("utf-8", "surrogatepass").decode("latin-1"),
    ],
)
def test_provenance_that_is_none(home: Path, clone: Path, content: str) -> None:
    (clone / "provenance.json").write_bytes(content.encode("latin-1"))
    assert "provenance.json: expected the records of a snapshot" in refusal(home)


@pytest.mark.parametrize(
    "changes",
    [
        {"path": "../.bashrc"},
        {"path": "/outside"},
        {"path": ".git/hooks"},
        {"path": "results/../../x"},
        {"path": "data"},
        {"hash": None},
        {"md5": "../../../../../home"},
        {"md5": "0" * 32},
        {"md5": None},
        {"files": [{"relpath": "../../.bashrc", "md5": "0" * 32}]},
        {"cloud": {"kept": {"etag": "x"}}},
        {"remote": "other"},
        {"fs_config": {"url": "x"}},
    ],
)
def test_a_dvc_file_of_something_else(home: Path, clone: Path, changes: dict[str, Any]) -> None:
    rewritten(clone, **changes)
    assert "results.dvc: expected" in refusal(home)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[",
        "outs: []",
        "outs: 3",
        "cmd: touch ../caught\nouts: [{path: results, md5: x, hash: md5}]",
        "wdir: ..\nouts: [{path: results, md5: x, hash: md5}]",
        "deps: [{path: /etc}]\nouts: [{path: results, md5: x, hash: md5}]",
        "[" * 5000,
    ],
)
def test_a_dvc_file_that_is_none(home: Path, clone: Path, text: str) -> None:
    (clone / "data.dvc").write_text(text)
    assert "data.dvc: expected" in refusal(home)


def test_dvc_files_beside_are_not_pulled(home: Path, clone: Path) -> None:
    evil = stored(home, EVIL.encode())
    out = {"path": "../.bashrc", "md5": evil, "hash": "md5", "size": len(EVIL)}
    (clone / "a.dvc").write_text(yaml.safe_dump({"outs": [out]}))
    (clone / "sub").mkdir()
    hook = {"path": "../.git/hooks/pre-commit", "md5": evil, "hash": "md5", "size": len(EVIL)}
    (clone / "sub" / "b.dvc").write_text(yaml.safe_dump({"outs": [hook]}))
    stage = {"cmd": "echo caught > ../caught", "outs": ["made"], "deps": ["config/config.yaml"]}
    (clone / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"s": stage}}))
    before = contents(home, clone)
    freezing.restore(clone)
    assert contents(home, clone) == before
    assert not (clone / ".git").exists() and not (clone / "made").exists()


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


@pytest.mark.parametrize(
    "url", ["ssh://nobody@example.invalid/x", "s3://none", "gs://none", "evil://x", "\x00", ""]
)
def test_a_remote_that_cannot_be_reached(home: Path, clone: Path, url: str) -> None:
    (clone / ".dvc" / "config").write_text(
        f"[core]\n    no_scm = true\n    remote = kept\n['remote \"kept\"']\n    url = {url}\n"
    )
    refusal(home)


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


def test_the_ages_of_files_elsewhere_stay(home: Path, clone: Path) -> None:
    (home / "elsewhere").mkdir()
    (home / "elsewhere" / "times.tsv").write_text("s\n")
    os.utime(home / "elsewhere" / "times.tsv", (1, 1))
    (clone / "logs").symlink_to(home / "elsewhere")
    before = contents(home, clone)
    freezing.restore(clone)
    assert contents(home, clone) == before


@pytest.mark.parametrize("file", ["config", "config.local"])
@pytest.mark.parametrize(
    "text",
    [
        "[cache]\n    dir = ../../elsewhere\n",
        "[core]\n    site_cache_dir = .cache\n",
        "['remote \"kept\"']\n    bearer_token_command = touch ../caught\n",
        "['remote \"kept\"']\n    configpath = config/aws\n",
        "['remote \"kept\"']\n    credentialpath = config/aws\n",
        "['remote \"kept\"']\n    worktree = true\n",
        "['remote \"kept\"']\n    keyfile = config/key\n",
        "['machine \"m\"']\n    startup_script = config/run\n",
        "[hydra]\n    plugins_path = config\n",
        "[exp]\n    auto_push = true\n",
        "unknown = 1\n",
        "[core\n",
    ],
)
def test_settings_that_do_more_than_name_the_remote(
    home: Path, clone: Path, file: str, text: str
) -> None:
    path = clone / ".dvc" / file
    old = path.read_text() if path.exists() else ""
    path.write_text(text + old.replace("[core]", "[core]\n    interactive = false"))
    assert f"{path}" in refusal(home)
    assert not (home / "caught").exists()


def test_the_clones_modules_are_not_pythons(
    home: Path, clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python looks into the working folder first, where a clone may hold `dvc.py`; so here DVC is
    a process of its own.
    """
    monkeypatch.setattr(freezing, "subprocess", subprocess)
    for name in ("dvc", "yaml", "json", "encodings", "sitecustomize"):
        (clone / f"{name}.py").write_text("open('../caught', 'w').write('x')\n")
    freezing.restore(clone)
    assert (clone / TABLE).is_file()
    assert not (home / "caught").exists()


def test_results_that_are_kept_nowhere_are_not_replaced(clone: Path) -> None:
    freezing.restore(clone)
    (clone / TABLE).unlink()
    (clone / TABLE).write_text("of another run\n")
    with pytest.raises(UserError, match="--force"):
        freezing.restore(clone)
    assert (clone / TABLE).read_text() == "of another run\n"
    freezing.restore(clone, force=True)
    assert (clone / TABLE).read_text() == "a\n"


def test_a_cache_that_lacks_a_file_deletes_nothing(clone: Path) -> None:
    """DVC deletes a folder whole of which it cannot make one file."""
    freezing.restore(clone)
    content = hashlib.md5(b"a\n").hexdigest()
    (clone / ".dvc" / "cache" / "files" / "md5" / content[:2] / content[2:]).unlink()
    (clone / TABLE).unlink()
    (clone / "results" / "mine").write_text("by hand\n")
    with pytest.raises(UserError, match="got all but 1 of 2; fetch them"):
        freezing.restore(clone, pull=False, force=True)
    assert (clone / "results" / "mine").read_text() == "by hand\n"


def test_a_snapshot_that_was_not_pushed(home: Path) -> None:
    shutil.rmtree(home / "remote")
    (home / "remote").mkdir()
    message = refusal(home)
    assert "data.dvc: expected its listing" in message and "was the snapshot pushed?" in message


SNAKEFILE = """
rule last:
    input: "results/folder"
    output: "results/last.txt"
    benchmark: "logs/last.tsv"
    shell: "cp {input}/a.txt {output}"
rule first:
    input: "config/in.txt"
    output: directory("results/folder")
    benchmark: "logs/first.tsv"
    shell: "mkdir {output} && cp {input} {output}/a.txt"
rule all:
    default_target: True
    input: "results/last.txt"
"""


def test_nothing_is_to_be_done_in_a_folder_that_has_run(tmp_path: Path) -> None:
    """The times of its jobs stay as old as they are, the results become new; a job that was killed
    after the snapshot has left its mark.
    """
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "in.txt").write_text("a\n")
    (tmp_path / "Snakefile").write_text(SNAKEFILE)
    dvc(tmp_path, "init", "--no-scm", "--quiet")
    done = module(tmp_path, "snakemake", "--cores", "1", "--quiet")
    assert done.returncode == 0, done.stdout
    freezing.snapshot(tmp_path, push=False)
    for path in tmp_path.rglob("*"):
        os.utime(path, (1e9, 1e9))
    mark = tmp_path / ".snakemake" / "incomplete" / record_name("results/last.txt")
    mark.write_text("{}")
    freezing.restore(tmp_path, pull=False)
    assert freezing.is_complete(tmp_path)
    assert not mark.exists()
