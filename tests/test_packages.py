"""The packages of pyproject.toml, and the two files of envs/ that have to follow it."""

from __future__ import annotations

import hashlib
import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
RUN = [Requirement(text) for text in PROJECT["dependencies"]]


def extra(name: str) -> list[Requirement]:
    return [Requirement(text) for text in PROJECT["optional-dependencies"][name]]


def test_every_package_has_a_lower_bound() -> None:
    for requirement in [
        *RUN,
        *(
            one
            for name in ("dev", "docs", "paper", "serve", "slurm", "smol")
            for one in extra(name)
        ),
    ]:
        assert [part.operator for part in requirement.specifier] == [">="], requirement


def pinned(file: str) -> dict[str, str]:
    """Versions by name."""
    pins = re.findall(r"^([^ =]+)==([^ ]+)", (ROOT / file).read_text(), re.M)
    return {canonicalize_name(name): version for name, version in pins}


def test_the_live_explorer_has_the_versions_of_the_rest() -> None:
    """All but two, which Gradio wants older."""
    own, rest = pinned("envs/serve.txt"), pinned("envs/requirements.txt")
    [gradio] = extra("serve")
    assert gradio.specifier.contains(own[gradio.name])
    assert {name for name in own.keys() & rest if own[name] != rest[name]} <= {"pillow", "tomlkit"}
    text = (ROOT / "envs/serve.txt").read_text()
    assert "--hash=sha256:" in text


@pytest.mark.parametrize("name", ["requirements", "serve", "slurm", "uv"])
def test_pins_name_no_place_of_a_machine(name: str) -> None:
    """Where a file was compiled would stand in its comments."""
    lines = (ROOT / "envs" / f"{name}.txt").read_text().splitlines()
    assert [line for line in lines if re.search(r"\s/\w|://", line)] == []


def test_pins_are_of_every_package_and_within_its_bounds() -> None:
    versions = pinned("envs/requirements.txt")
    for requirement in [*RUN, *extra("dev"), *extra("docs")]:
        version = versions[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), requirement


def test_the_plugin_of_slurm_goes_with_the_other_pins() -> None:
    whole, plugin = pinned("envs/requirements.txt"), pinned("envs/slurm.txt")
    [requirement] = extra("slurm")
    assert requirement.specifier.contains(plugin[requirement.name])
    shared = whole.keys() & plugin.keys()
    assert "snakemake-interface-common" in shared
    assert {name: plugin[name] for name in shared} == {name: whole[name] for name in shared}


def test_conda_container_and_make_install_one_lock() -> None:
    """All take envs/requirements.txt by its hashes, and one version of Python. Neither container
    nor conda's environment is built here.
    """
    files = ("Makefile", "Containerfile", "envs/transporter.post-deploy.sh")
    make, container, deploy = (
        (ROOT / file).read_text().replace("\\\n", " ").splitlines() for file in files
    )
    installed = ("--require-hashes", "envs/requirements.txt")
    [line] = [line for line in deploy if "pip install" in line and "--editable" not in line]
    assert all(word in line for word in installed)
    lock = hashlib.sha256((ROOT / "envs/requirements.txt").read_bytes()).hexdigest()
    assert f"LOCK={lock}" in deploy
    assert "RUN make setup" in container
    assert [line for line in make if line.startswith("SYNC := ") and installed[0] in line]
    assert [line for line in make if "$(SYNC) envs/requirements.txt" in line]
    # the package itself, without what it would ask for
    assert "python -m pip install --no-deps --editable ." in deploy
    assert [line for line in make if "--no-deps" in line and line.endswith("--editable .")]

    conda = yaml.safe_load((ROOT / "envs/transporter.yaml").read_text())["dependencies"]
    [python] = [part.split("=")[1] for part in conda if part.startswith("python ")]
    assert conda == [f"python ={python}", "pip", "openjdk"]
    assert f"FROM python:{python}-slim" in container
    asked = {version for line in make for version in re.findall(r"--python-version (\S+)", line)}
    assert asked == {python}


def test_tests_are_no_run_time_packages() -> None:
    assert not {one.name for one in RUN} & {one.name for one in [*extra("dev"), *extra("docs")]}
