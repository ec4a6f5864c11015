"""What files of a stranger's clone may say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from strangers import (
    EVIL,
    contents,
    record_name,
    refusal,
    rewritten,
    stored,
    with_provenance,
)

from transporter.pipeline import snapshot as freezing

pytestmark = pytest.mark.usefixtures("forked_tools")


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
    "url", ["ssh://nobody@example.invalid/x", "s3://none", "gs://none", "evil://x", "\x00", ""]
)
def test_a_remote_that_cannot_be_reached(home: Path, clone: Path, url: str) -> None:
    (clone / ".dvc" / "config").write_text(
        f"[core]\n    no_scm = true\n    remote = kept\n['remote \"kept\"']\n    url = {url}\n"
    )
    refusal(home)


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
