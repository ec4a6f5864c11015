"""The package's public names, and what importing them costs."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import transporter
from transporter.pipeline import code_hash as code_hashes

PUBLIC = sorted(set(transporter.__all__) - {"__version__"})
SOURCE = Path(transporter.__file__)


def test_importing_the_package_imports_nothing_else() -> None:
    code = (
        "import sys, transporter; transporter.__version__; dir(transporter);"
        " print([n for n in sys.modules if n.partition('.')[0] in"
        " ('torch', 'pandas', 'diffusers', 'transformers', 'matplotlib', 'microworld')"
        " or n.startswith('transporter.')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_concept_costs_no_torch() -> None:
    code = "import sys; from transporter import Concept, UserError; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_is_there_and_documented(name: str) -> None:
    value = getattr(transporter, name)
    assert value.__name__ == name
    assert value.__doc__
    assert name in dir(transporter)


def test_what_editors_see_is_what_there_is() -> None:
    """The imports for type checkers name the same modules as those that are made."""
    [guarded] = [node for node in ast.parse(SOURCE.read_text()).body if isinstance(node, ast.If)]
    seen = {
        alias.name: node.module.removeprefix("transporter")
        for node in guarded.body
        for alias in node.names
    }
    assert seen == transporter._PLACES
    assert sorted(seen) == PUBLIC


def test_other_names_are_refused_as_by_any_module() -> None:
    with pytest.raises(AttributeError, match="module 'transporter' has no attribute 'nothing'"):
        _ = transporter.nothing


def test_the_version_is_that_of_the_project() -> None:
    project = SOURCE.parents[2] / "pyproject.toml"
    [version] = re.findall(r'^version = "(.+)"$', project.read_text(), re.MULTILINE)
    assert transporter.__version__ == version


def test_jobs_do_not_depend_on_what_the_door_offers() -> None:
    reached = code_hashes._closure(["transporter.clips.contrast"], code_hashes.PACKAGES)
    assert "transporter" in reached
    assert "transporter.explainer" not in reached
    assert "transporter.vlms.base" not in reached
