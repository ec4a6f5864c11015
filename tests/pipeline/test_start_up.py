"""What a person waits for at every start: reading the settings and planning needs no library that
takes seconds to import.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("torch", "transformers", "diffusers", "pandas", "scipy", "matplotlib", "decord", "av")
"""Libraries that take from half a second to several."""
RULES = re.compile(r"^from (transporter\S+) import", re.MULTILINE)
USED = re.compile(
    r"^(?:import|from) ((?:transporter|microworld|torch|safetensors)\S*)", re.MULTILINE
)


def imported(code: str) -> set[str]:
    """Which of the heavy libraries a process has imported in the end."""
    program = f"{code}\nimport sys\nprint(*({{*sys.modules}} & {{*{HEAVY!r}}}), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(done.stderr.split())


def test_the_libraries_are_seen_where_they_are_imported() -> None:
    assert imported("import pandas") == {"pandas"}


def test_rules_are_read_and_jobs_planned_without_heavy_libraries() -> None:
    modules = {name for path in ROOT.glob("workflow/rules/*.smk") for name in _imports(path)}
    assert "transporter.pipeline.plan" in modules
    code = f"import {', '.join(sorted(modules))}"
    plan = (
        "from transporter.pipeline.config import load_config\n"
        "from transporter.pipeline.plan import Plan\n"
        "plan = Plan(load_config('config/config.yaml'))\n"
        "plan.code('transporter.metrics.faithfulness', adapters=['vlms'], world=True)({})"
    )
    assert imported(f"{code}\n{plan}") == set()


def _imports(rules: Path) -> list[str]:
    return RULES.findall(rules.read_text())


@pytest.mark.parametrize("verb", ["--version", "config", "concepts", "settings"])
def test_verbs_about_settings_need_none_of_them(verb: str) -> None:
    code = f"from transporter.cli import main\ntry:\n    main([{verb!r}])\nexcept SystemExit:\n"
    assert imported(f"{code}    pass") == set()


def test_jobs_that_import_torch_are_forked_from_a_process_that_has_it() -> None:
    scripts = [path.read_text() for path in ROOT.glob("workflow/scripts/*.py")]
    alone = [text for text in scripts if "\nfrom stage import stage\n" in text]
    assert len(alone) > 5
    modules = {name for text in alone for name in USED.findall(text)}
    assert "torch" not in imported(f"import {', '.join(sorted(modules))}")


JOB = """
import runpy, sys, types
sys.path.insert(0, {scripts!r})

class Stop(Exception): pass

class Job(types.SimpleNamespace):
    def __getattr__(self, name): raise Stop

job = Job(log=[{log!r}], resources={{}}, threads=1)
try:
    runpy.run_path({script!r}, {{"snakemake": job}})
except Stop:
    open({log!r}, "w").write(" ".join({{*sys.modules}} & {{*{heavy!r}}}))
"""
"""A job that ends when it asks for its files, with its stage set up."""


@pytest.mark.parametrize(
    ("script", "needed"),
    [
        ("versions", {"pandas"}),
        ("table_pages", {"pandas"}),
        ("gallery", {"pandas"}),
        ("evaluation", {"pandas", "scipy"}),
    ],
)
def test_jobs_that_hold_no_gpu_import_no_torch(
    tmp_path: Path, script: str, needed: set[str]
) -> None:
    scripts, log = ROOT / "workflow" / "scripts", tmp_path / "log"
    places = {"scripts": scripts, "log": log, "script": scripts / f"{script}.py"}
    program = JOB.format(**{name: str(place) for name, place in places.items()}, heavy=HEAVY)
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)
    assert set(log.read_text().split()) == needed
