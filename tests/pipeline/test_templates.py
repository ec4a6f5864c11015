"""Settings that are code are refused before Snakemake reads them, where it is asked to."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yte

from transporter.pipeline.config import load_config
from transporter.pipeline.templates import exit_on_code, refuse_code
from transporter.support.errors import UserError

CODE = "seed: ?open('caught', 'w').write('x')\n"
HIDDEN = {
    "plain": f"__use_yte__: true\n{CODE}",
    "last": f"{CODE}__use_yte__: yes\n",
    "escaped": f'"\\u005f_use_yte__": true\n{CODE}',
    "merged": f"a: &a {{__use_yte__: true}}\n<<: *a\n{CODE}",
    "tagged": f'? !!python/str "\\u005f_use_yte__"\n: true\n{CODE}',
    "defined": "__use_yte__: 1\n__definitions__:\n- open('caught', 'w').write('x')\n",
}


@pytest.mark.parametrize("name", HIDDEN)
def test_settings_that_are_code(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of them runs where Snakemake's library for it reads it, and none where ours does."""
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "mine.yaml"
    file.write_text(HIDDEN[name])
    for read in (refuse_code, load_config):
        with pytest.raises(UserError) as error:
            read(file)
        assert str(error.value).startswith(f"{file}: ") and "\n" not in str(error.value)
    with pytest.raises(SystemExit, match=r"mine\.yaml: "):
        exit_on_code([file])
    assert not Path("caught").exists()
    with file.open() as stream:
        yte.process_yaml(stream, require_use_yte=True)
    assert Path("caught").exists()


@pytest.mark.parametrize(
    "text", ["seed: 1\n", "a: __use_yte__\n", json.dumps({"seed": 1}), "", "[", "{" * 5000, "- a"]
)
def test_other_files_are_left_to_their_readers(tmp_path: Path, text: str) -> None:
    (tmp_path / "mine.yaml").write_text(text)
    refuse_code(tmp_path / "mine.yaml")
    refuse_code(tmp_path / "nothing.yaml")


def test_the_projects_own_settings_are_no_code() -> None:
    root = Path(__file__).resolve().parents[2]
    files = [*(root / "config").glob("*.yaml"), *(root / "profiles").rglob("*.yaml")]
    assert len(files) > 5
    exit_on_code(files)


def test_snakemake_does_not_read_the_default_settings_as_code(tmp_path: Path) -> None:
    """As the project's Snakefile has it, ahead of its `configfile:`."""
    root = Path(__file__).resolve().parents[2]
    ahead = (root / "Snakefile").read_text().split("\nreport:")[0]
    assert "configfile:" in ahead
    (tmp_path / "Snakefile").write_text(f"{ahead}\nrule all:\n    output: 'a'\n")
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "config.yaml").write_text(HIDDEN["plain"])
    command = [sys.executable, "-m", "snakemake", "--dry-run"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode != 0
    assert "config/config.yaml: __use_yte__: expected settings" in done.stdout + done.stderr
    assert not (tmp_path / "caught").exists()
