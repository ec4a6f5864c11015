"""The profiles of clusters say what Snakemake understands."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from snakemake.cli import get_argument_parser

ROOT = Path(__file__).parents[2]
PROFILES = sorted((ROOT / "profiles").glob("*/config.yaml"))
PLUGIN = "slurm-"
"""What the names of a plug-in's options begin with; its test knows them."""


@pytest.fixture(scope="module")
def options() -> set[str]:
    return {name for action in get_argument_parser()._actions for name in action.option_strings}


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.parent.name)
def test_keys_are_options_of_snakemake(profile: Path, options: set[str]) -> None:
    keys = yaml.safe_load(profile.read_text())
    own = [key for key in keys if not key.startswith(PLUGIN)]
    assert [key for key in own if f"--{key}" not in options] == []


def test_a_pod_has_what_its_run_counts_on(options: set[str]) -> None:
    """Cores and GPUs of the command are the limits, and it runs on the volume."""
    job = yaml.safe_load((ROOT / "profiles/kubernetes/job.yaml").read_text())
    pod = job["spec"]["template"]["spec"]
    [container] = pod["containers"]
    program, *arguments = container["command"]
    assert program == "snakemake"
    assert {word for word in arguments if word.startswith("--")} <= options
    given = get_argument_parser().parse_args(arguments)
    limits = container["resources"]["limits"]
    assert f"{given.cores}" == limits["cpu"]
    assert given.resources == {"gpu": int(limits["nvidia.com/gpu"])}
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert container["workingDir"] == mounts["project"]
    assert set(mounts) == {volume["name"] for volume in pod["volumes"]}
