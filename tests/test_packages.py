"""The packages of pyproject.toml, and the two files of envs/ that have to follow it."""

from __future__ import annotations

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
CONDA = {"torch": "pytorch", "matplotlib": "matplotlib-base"}
"""Names of packages that conda-forge calls otherwise."""
OUTSIDE_JOBS = {"pygments", "snakemake"}
"""What starts jobs, and is not in their environment."""


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
    def pins(name: str) -> dict[str, str]:
        return dict(re.findall(r"^([^ =]+)==([^ ]+)", (ROOT / "envs" / name).read_text(), re.M))

    whole, plugin = pins("requirements.txt"), pins("slurm.txt")
    [requirement] = extra("slurm")
    assert requirement.specifier.contains(plugin[requirement.name])
    shared = whole.keys() & plugin.keys()
    assert "snakemake-interface-common" in shared
    assert {name: plugin[name] for name in shared} == {name: whole[name] for name in shared}


def test_jobs_of_conda_have_every_package() -> None:
    listed = yaml.safe_load((ROOT / "envs/transporter.yaml").read_text())["dependencies"]
    [with_pip] = [part["pip"] for part in listed if isinstance(part, dict)]
    names = {part for part in listed if isinstance(part, str)} | set(with_pip)
    there = {canonicalize_name(name.split()[0]) for name in names}
    for name in {requirement.name for requirement in RUN} - OUTSIDE_JOBS:
        assert canonicalize_name(CONDA.get(name, name)) in there


def test_tests_are_no_run_time_packages() -> None:
    assert not {one.name for one in RUN} & {one.name for one in [*extra("dev"), *extra("docs")]}
