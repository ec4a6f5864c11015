"""What `snapshot` asks of DVC before it does anything; a real run that is frozen and restored is
part of the workflow's tests.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pipeline import module

from transporter.pipeline import snapshot as freezing
from transporter.pipeline.clone_checks import read_provenance
from transporter.support.errors import UserError

pytestmark = pytest.mark.usefixtures("forked_tools")


def dvc(folder: Path, *words: str) -> None:
    done = module(folder, "dvc", *words)
    assert done.returncode == 0, done.stdout


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A DVC repository without a remote, and a result."""
    folder = tmp_path / "project"
    (folder / "results").mkdir(parents=True)
    (folder / "results" / "table.tsv").write_text("a\n")
    dvc(folder, "init", "--no-scm", "--quiet")
    return folder


@pytest.fixture
def finished(monkeypatch: pytest.MonkeyPatch) -> None:
    """Snakemake has nothing to do."""
    monkeypatch.setattr(freezing, "is_complete", lambda root, configfiles: True)


def test_without_a_remote_nothing_is_done(repository: Path) -> None:
    with pytest.raises(UserError) as error:
        freezing.snapshot(repository)
    assert "`dvc remote add --default NAME PLACE`" in str(error.value)
    assert "\n" not in str(error.value)
    assert not (repository / "results.dvc").exists()


@pytest.mark.usefixtures("finished")
def test_without_pushing_no_remote_is_needed(repository: Path) -> None:
    assert freezing.snapshot(repository, push=False) == ["results.dvc", "provenance.json"]
    assert (repository / "results.dvc").is_file()


@pytest.mark.usefixtures("finished")
def test_provenance_says_who_decoded_the_clips(repository: Path) -> None:
    folder = repository / "results" / "embeddings" / "train" / "generators" / "microworld"
    other = repository / "results" / "embeddings" / "edits"
    folder.mkdir(parents=True)
    other.mkdir()
    rows = ["clip\tshard\trow\tstart\tseconds\treader"]
    rows += [f"{row}.mp4\ts\t{row}\t0\t2\tdecord 0.6.0" for row in range(2)]
    (folder / "index.tsv").write_text("\n".join([*rows, "2.gif\ts\t2\t0\t2\tav 14.2.0", ""]))
    (other / "index.tsv").write_text("clip\tshard\trow\na\ts\t0\n")
    freezing.snapshot(repository, push=False)
    kept = json.loads((repository / "provenance.json").read_text())
    assert kept["readers"] == {
        "results/embeddings/train/generators/microworld": {"av 14.2.0": 1, "decord 0.6.0": 2}
    }
    assert read_provenance(repository).records == {}


@pytest.mark.usefixtures("finished")
def test_the_command_that_the_message_names_mends_it(repository: Path, tmp_path: Path) -> None:
    dvc(repository, "remote", "add", "--default", "kept", str(tmp_path / "remote"))
    assert freezing.snapshot(repository) == ["results.dvc", "provenance.json"]
    assert any(path.is_file() for path in (tmp_path / "remote").rglob("*"))


@pytest.mark.usefixtures("finished")
def test_dvc_says_why_it_refuses(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "remote").write_text("a file, where a folder has to be")
    dvc(repository, "remote", "add", "--default", "kept", str(tmp_path / "remote"))
    with pytest.raises(UserError, match="dvc push: expected success") as error:
        freezing.snapshot(repository)
    assert "it said nothing" not in str(error.value)


def test_outside_of_a_clone(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="expected a clone of the project"):
        freezing.snapshot(tmp_path)
