"""What others install: a wheel with every file of both packages, whose commands work anywhere."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import ZipFile

import pytest
import typer
from typer.core import TyperGroup

from transporter.cli import app
from transporter.pipeline.config import settings_table

ROOT = Path(__file__).parents[1]
PACKAGES = ("transporter", "microworld")
COMMAND = typer.main.get_command(app)
assert isinstance(COMMAND, TyperGroup)
VERBS = {name: command.params for name, command in COMMAND.commands.items()}


class Done(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


def run(*command: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def pip(*arguments: str | Path, folder: Path, python: Path | str = sys.executable) -> None:
    quiet = ("--quiet", "--no-index", "--no-deps", "--disable-pip-version-check")
    whose = ("--python", str(python))
    done = run(
        sys.executable, "-m", "pip", *whose, arguments[0], *quiet, *arguments[1:], folder=folder
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built in a copy, since building leaves files behind."""
    copy = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy2(ROOT / name, copy / name)
    unwanted = shutil.ignore_patterns("__pycache__", "*.egg-info")
    shutil.copytree(ROOT / "src", copy / "src", ignore=unwanted)
    pip("wheel", "--no-build-isolation", "--wheel-dir", "made", ".", folder=copy)
    [made] = (copy / "made").glob("transporter-*.whl")
    return made


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of an environment that has the wheel, and this environment's other
    packages after it.
    """
    folder = tmp_path_factory.mktemp("installed") / "venv"
    made = run(sys.executable, "-m", "venv", "--without-pip", folder, folder=folder.parent)
    assert made.returncode == 0, made.stderr
    python = folder / "bin" / "python"
    pip("install", wheel, folder=folder, python=python)
    [packages] = (folder / "lib").glob("python*/site-packages")
    (packages / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "bin"


def test_the_wheel_has_every_file(wheel: Path) -> None:
    wanted = {
        path.relative_to(ROOT / "src").as_posix()
        for package in PACKAGES
        for path in (ROOT / "src" / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {name for name in names if ".dist-info/" not in name} == wanted
    assert {"transporter/py.typed", "microworld/py.typed"} <= wanted
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_the_packages_are_those_of_the_wheel(installed: Path, tmp_path: Path) -> None:
    code = (
        "import json, microworld, transporter as library;"
        " print(json.dumps([*library.__path__, *microworld.__path__]))"
    )
    done = run(installed / "python", "-c", code, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert all(Path(path).is_relative_to(installed.parent) for path in json.loads(done.stdout))


def test_settings_are_documented_anywhere(installed: Path, tmp_path: Path) -> None:
    done = run(installed / "transporter", "settings", folder=tmp_path)
    assert (done.returncode, done.stdout.strip()) == (0, settings_table()), done.stderr


def _needed(parameters: Sequence[Any]) -> list[str]:
    """Something for every argument and option that must be given."""
    needed = [parameter for parameter in parameters if parameter.required]
    named = [[*parameter.opts[:1], "x"] for parameter in needed if parameter.opts[0][0] == "-"]
    plain = ["x" for parameter in needed if parameter.opts[0][0] != "-"]
    return [*plain, *(word for words in named for word in words)]


FORKS = """
import importlib, json, os, runpy, sys, traceback

for name in ("av", "torch", "torchvision", "transporter.explainer.explainer"):
    importlib.import_module(name)
program, commands = sys.argv[1], json.loads(sys.argv[2])
codes = {}
for folder, words in commands.items():
    child = os.fork()
    if child == 0:
        os.chdir(folder)
        for descriptor, name in ((1, "out"), (2, "err")):
            os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT), descriptor)
        sys.argv[:] = [program, *words]
        code = 0
        try:
            runpy.run_path(program, run_name="__main__")
        except SystemExit as end:
            code = end.code or 0
        except BaseException:
            traceback.print_exc()
            code = 1
        sys.stdout.flush()
        os._exit(code)  # taking the libraries apart takes seconds
    codes[folder] = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
print(json.dumps(codes))
"""
"""Runs the installed program as it is, in forks of one process that has imported the libraries and
what most commands import of ours: each would import that for longer than it runs.
"""


@pytest.fixture(scope="module")
def ended(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Done]:
    """How each command ends in a folder without settings, models or results."""
    folders = {verb: tmp_path_factory.mktemp(verb) for verb in VERBS}
    commands = {str(folders[verb]): [verb, *_needed(VERBS[verb])] for verb in VERBS}
    program = (str(installed / "transporter"), json.dumps(commands))
    done = run(installed / "python", "-c", FORKS, *program, folder=folders["config"].parent)
    assert done.returncode == 0, done.stderr
    codes = json.loads(done.stdout)
    return {
        verb: Done(codes[str(folder)], *((folder / name).read_text() for name in ("out", "err")))
        for verb, folder in folders.items()
    }


@pytest.mark.parametrize("verb", VERBS)
def test_no_command_ends_in_a_traceback(ended: dict[str, Done], verb: str) -> None:
    done = ended[verb]
    assert "Traceback" not in done.out + done.err
    assert done.code in (0, 2), done.err
    if done.code:
        assert done.err.strip().splitlines()[-1].startswith("transporter: ")
