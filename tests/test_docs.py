"""The docs name what is there, say what runs wrote, and build into a site that needs no network."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import re
import runpy
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
import yaml
from PIL import Image

from transporter.pipeline.config import settings_table

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
SRC = ROOT / "src"
APACHE_2 = "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30"
"""SHA-256 of the licence as the Apache Software Foundation publishes it."""
GUIDES = sorted({*DOCS.glob("*.md"), *DOCS.glob("guides/*.md")})
PAGES = [*GUIDES, ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
"""What is true now; the log is of its time."""
WORDS = 700
REFERENCE = ("metrics.md",)
"""To look things up in, not to read through."""
CODE = re.compile(r"```.*?```|^(?: {4}|\t)[^\n]*$", re.DOTALL | re.MULTILINE)
TOP = ("src", "config", "workflow", "docs", "tests", "models", "envs", "profiles", "benchmarks")
ROOMS = {path.parent.name for path in SRC.glob("transporter/*/__init__.py")}
PACKAGES = ("transporter", "microworld")
NEW = {
    "vlms/molmo.py",
    "generators/ltx.py",
    "metrics/sharpness.py",
    "tests/metrics/test_sharpness.py",
    "figures/curves.py",
    "tests/figures/test_curves.py",
    "workflow/report/curves.rst",
    "saliency/my_maps.py",
    "tests/saliency/test_my_maps.py",
    "config/mine.yaml",
    "transporter.vlms.molmo",
}
"""What the recipes tell a reader to write."""
DEFAULT_RUN = DOCS / "log" / "2026-11-30-sprites.md"


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _quoted(page: Path) -> list[str]:
    """What a page puts between backticks, in a line."""
    return re.findall(r"`([^`\n]+)`", page.read_text())


def _paths(page: Path) -> Iterator[str]:
    """Places in the tree that a page names, in text or in commands."""
    found = re.findall(r"[\w.-]+(?:/[\w.-]+)+/?", page.read_text())
    for path in (re.sub(r"^(\.\./)+", "", one) for one in found):
        first = path.split("/")[0]
        whole = first in TOP and (path.endswith("/") or "." in path)
        module = first in (*ROOMS, *PACKAGES) and path.endswith(".py")
        if whole or module:
            yield path.rstrip("./")


def _exists(path: str) -> bool:
    return any((base / path).exists() for base in (ROOT, SRC, SRC / "transporter", DOCS))


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_path_is_there(page: Path) -> None:
    new = [path for path in set(_paths(page)) if not any(path.endswith(one) for one in NEW)]
    assert [path for path in new if not _exists(path)] == []


def _module(name: str) -> tuple[Path, list[str]] | None:
    """The file of the longest part of a dotted name that is a module, and the rest."""
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        base = SRC.joinpath(*parts[:count])
        for path in (base.with_suffix(".py"), base / "__init__.py"):
            if path.is_file():
                return path, parts[count:]
    return None


def _defines(path: Path, name: str) -> bool:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
        elif isinstance(node, ast.ImportFrom):
            names |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Constant):
            names.add(node.value)  # of `__all__`
    return name in names


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_module_is_there(page: Path) -> None:
    groups = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"])
    dotted = rf"\b(?:{'|'.join(PACKAGES)})(?:\.\w+)+"
    text = re.sub(r"[\w./-]*/[\w./-]*", "", page.read_text())
    for name in set(re.findall(dotted, text)) - NEW - groups:
        found = _module(name)
        assert found, f"{name} is not there"
        assert not found[1] or _defines(found[0], found[1][0]), f"{name} is not there"


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_setting_is_there(page: Path) -> None:
    keys = re.findall(r"^\| `([^`]+)`", settings_table(), re.MULTILINE)
    sections = {key.split(".")[0] for key in keys}
    named = {text for text in _quoted(page) if re.fullmatch(r"[a-z_]+(\.[a-z_0-9]+)+", text)}
    asked = {text for text in named if text.split(".")[0] in sections and not _exists(text)}
    files = {text for text in asked if text.rpartition(".")[2] in ("tsv", "safetensors")}
    known = {".".join(key.split(".")[:count]) for key in keys for count in range(1, 6)}
    assert asked - files - known == set()


def _made() -> str:
    """All that says where results are."""
    files = [*ROOT.glob("workflow/rules/*.smk"), *SRC.glob("transporter/pipeline/*.py")]
    return "\n".join(path.read_text() for path in files)


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_result_is_made(page: Path) -> None:
    made = _made()
    named = set(re.findall(r"\bresults/[a-z_]+", page.read_text()))
    assert [place for place in named if place not in made] == []


def test_every_column_is_written() -> None:
    pages = [DOCS / "results.md", DOCS / "guides/explain_many_clips.md"]
    text = "\n".join(page.read_text() for page in pages)
    columns = set(re.findall(r"^\| `(\w+)`", text, re.MULTILINE))
    written = (SRC / "transporter/metrics/faithfulness.py").read_text()
    written += (SRC / "transporter/metrics/summary.py").read_text()
    written += (SRC / "transporter/metrics/evenness.py").read_text()
    written += (SRC / "transporter/generation/sweeps.py").read_text()
    written += (SRC / "transporter/explainer/counts.py").read_text()
    assert len(columns) > 5
    assert [column for column in columns if f'"{column}"' not in written] == []


def test_every_rule_of_the_method_is_there() -> None:
    rows = [line for line in (DOCS / "method.md").read_text().splitlines() if line.count("|") == 4]
    rules = {rule for row in rows for rule in re.findall(r"`(\w+)`", row.split("|")[3])}
    assert len(rules) > 5
    made = _made()
    made_of = {rule: (f"rule {rule}:", f" as {rule} with:") for rule in rules}
    assert [rule for rule, heads in made_of.items() if not any(map(made.__contains__, heads))] == []


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_command_is_there(page: Path) -> None:
    command = re.compile(r"(?:^ *|`|bin/)transporter ([a-z]+(?:-[a-z]+)*)", re.MULTILINE)
    verbs = set(command.findall(page.read_text()))
    for verb in verbs:
        code = f"import sys; from transporter.cli import main; sys.argv = ['t', '{verb}', '--help']"
        done = subprocess.run([sys.executable, "-c", f"{code}; main()"], capture_output=True)
        assert done.returncode == 0, f"transporter {verb}: {done.stderr.decode()}"


@pytest.mark.parametrize("page", [*PAGES, *sorted(DOCS.glob("log/*.md"))], ids=_name)
def test_numbers_have_their_zero(page: Path) -> None:
    prose = CODE.sub("", page.read_text())
    assert re.findall(r"(?:^|[\s(\[+-])\.\d+", prose) == []


@pytest.mark.parametrize("page", [p for p in GUIDES if p.name not in REFERENCE], ids=_name)
def test_guides_are_short(page: Path) -> None:
    prose = CODE.sub("", page.read_text())
    words = [word for word in prose.split() if re.search(r"\w", word)]
    assert len(words) < WORDS


def test_the_readme_is_one_screen() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 90


def _table(page: Path, heading: str) -> pd.DataFrame:
    """The first table below a heading that holds `heading`."""
    below = page.read_text().split(heading, 1)[1]
    lines = re.search(r"(?:^\|.*\n)+", below, re.MULTILINE)
    assert lines
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[0].splitlines()]
    return pd.DataFrame(rows[2:], columns=rows[0])


def test_the_readme_says_what_the_run_wrote() -> None:
    run = _table(DEFAULT_RUN, "evaluation/concepts.tsv")
    columns = {"transporter": 1, "prompt_interpolation": 2, "random": 3}
    said = _table(ROOT / "README.md", "## What comes out")
    measures = {"hit_rate": 0, "spearman": 2, "others_kept": 3}
    for measure, row in measures.items():
        for method, column in columns.items():
            values = run.loc[run["method"] == method, measure].astype(float)
            percent = "%" in said.iloc[row, column]
            numbers = re.findall(r"-?\d+(?:\.\d+)?", said.iloc[row, column])
            mean, worst = (float(number) / (100 if percent else 1) for number in numbers)
            assert mean == pytest.approx(values.mean(), abs=0.0051), (measure, method)
            assert worst == pytest.approx(values.min(), abs=0.0051), (measure, method)


def _held(model: str, attributes: str) -> list[float]:
    """The least share read rightly of seen and of held-out combinations, in per cent."""
    rows = json.loads((ROOT / f"models/{model}/card.json").read_text())["held_out"]
    found = []
    for clips in ("seen combinations", "held-out combinations"):
        least = min(rows[clips][name] for name in attributes.split())
        found.append(round(100 * least, 1))
    return found


def test_the_microworld_says_what_its_cards_say() -> None:
    said = _table(DOCS / "microworld.md", "on held-out combinations:")
    rest = "colour size motion speed ground time"
    cards = [("generator", "shape"), ("generator", rest)]
    cards += [(f"vlms/{name}", f"shape {rest}") for name in ("qwen2_vl", "video_llama3", "gemma3")]
    for (model, attributes), row in zip(cards, said.itertuples(index=False), strict=True):
        assert [float(cell.strip(" %")) for cell in row[1:]] == _held(model, attributes)


def test_every_concept_has_a_moving_picture() -> None:
    concepts = pd.read_csv(ROOT / "config/concepts.tsv", sep="\t")["concept"]
    gallery = (DOCS / "gallery.md").read_text()
    for name in concepts:
        path = DOCS / f"pictures/{name}.webp"
        assert f"pictures/{name}.webp" in gallery
        assert path.stat().st_size < 200_000
        assert Image.open(path).n_frames > 8
    assert (DOCS / "pictures/strips.webp").stat().st_size < 1_500_000


def test_the_drawing_is_of_these_imports() -> None:
    drawn = runpy.run_path(str(DOCS / "draw_architecture.py"))["draw"]()
    message = "the house has changed: run `python docs/draw_architecture.py`"
    assert drawn == (DOCS / "pictures/architecture.svg").read_text(), message


def test_the_api_has_every_room() -> None:
    pages = "\n".join(page.read_text() for page in DOCS.glob("api/*.md"))
    rooms = ROOMS - {"commands"}  # which `transporter --help` tells
    assert [room for room in rooms if f"::: transporter.{room}\n" not in pages] == []


def test_the_licence_is_unchanged() -> None:
    text = (ROOT / "LICENSE").read_text()
    holder = re.search(r"Copyright (\d{4} the transporter authors)", text)
    assert holder
    published = text.replace(holder[1], "[yyyy] [name of copyright owner]")
    assert hashlib.sha256(published.encode()).hexdigest() == APACHE_2


def test_the_citation_is_of_this_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert citation["version"] == project["version"]
    assert f"[{project['version']}]" in (ROOT / "CHANGELOG.md").read_text()
    [paper] = citation["references"]
    assert paper["identifiers"][0]["value"] == "arXiv:2511.18359"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built strictly: any broken link or anchor fails."""
    pytest.importorskip("mkdocs", reason="needs the extra `docs`")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet"]
    quiet = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    options = {"cwd": ROOT, "env": quiet, "capture_output": True, "text": True}
    done = subprocess.run([*command, "--site-dir", str(folder)], **options)
    assert done.returncode == 0, done.stderr
    return folder


def test_the_site_needs_no_network(site: Path) -> None:
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 30
    loaded = re.compile(r"<(?:script|img|link|iframe|source)\b[^>]*(?:src|href)=\"?(?:https?:)?//")
    assert [page.name for page in pages if loaded.search(page.read_text())] == []


def test_the_site_has_docstrings(site: Path) -> None:
    page = (site / "api/coupling/index.html").read_text()
    assert "Merges" in page
    assert "RhoOT" in page
