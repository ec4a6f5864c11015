"""Settings, models and results are found wherever a person stands."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from transporter.pipeline.config import load_config
from transporter.pipeline.project import Project, nearest
from transporter.support.errors import UserError

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_in_a_checkout_paths_stay_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    project = Project.open()
    assert project.settings == load_config("config/config.yaml")
    assert project.model("generators", "microworld")["path"] == "models/generator"
    assert project.bank("g", "v") == Path("results/concepts/g/v/bank.safetensors")


@pytest.mark.parametrize("folder", ["docs", "src/transporter"])
def test_below_a_checkout(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT / folder)
    project = Project.open()
    assert Path(project.model("vlms", "qwen2_vl")["path"]) == ROOT / "models/vlms/qwen2_vl"
    assert next(iter(project.concepts())) == "red_blue"


@pytest.mark.usefixtures("elsewhere")
def test_a_file_of_settings_brings_its_checkout() -> None:
    project = Project.open(ROOT / "config" / "miniature.yaml")
    assert Path(project.model("generators", "microworld")["path"]) == ROOT / "models/generator"
    written = yaml.safe_load((ROOT / "config" / "miniature.yaml").read_text())["generators"]
    own = project.settings["generators"]["microworld"]
    assert own["steps"] == written["microworld"]["steps"] != 25
    assert project.coupling("g", "v").is_relative_to(ROOT)
    assert Path.cwd() != ROOT


@pytest.mark.usefixtures("elsewhere")
def test_the_package_of_a_checkout_brings_its_settings() -> None:
    assert Project.open().root == ROOT


def test_without_a_checkout_one_line_says_where_to_go(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of an installed wheel, whose package is in no checkout."""
    monkeypatch.setattr("transporter.pipeline.project.__file__", str(elsewhere / "project.py"))
    with pytest.raises(UserError, match="run this in a clone of the project") as error:
        Project.open()
    assert str(elsewhere) in str(error.value)


def test_settings_of_no_checkout_are_of_the_working_folder(elsewhere: Path) -> None:
    (elsewhere / "mine.yaml").write_text("generators: {g: {adapter: wan, path: models/other}}\n")
    with pytest.raises(UserError) as error:
        Project.open("mine.yaml")
    assert str(error.value).startswith("mine.yaml: ")
    for folder in ("models", "config"):
        os.symlink(ROOT / folder, elsewhere / folder)
    (elsewhere / "mine.yaml").write_text((ROOT / "config" / "config.yaml").read_text())
    assert Project.open("mine.yaml").root == Path()


def test_names_that_the_settings_lack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    project = Project.open()
    assert project.chosen("vlms") == "qwen2_vl"
    assert project.chosen("vlms", "gemma3") == "gemma3"
    with pytest.raises(UserError, match=r"^generator: expected one of microworld, got 'wan'$"):
        project.chosen("generators", "wan")


def test_nearest() -> None:
    assert nearest("slow_quick", ["red_blue", "slowly_quickly"]) == "; did you mean slowly_quickly?"
    assert nearest("x", ["red_blue"]) == ""
