"""No import runs uphill: every room of the library stands above all that it imports."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SRC = Path(__file__).parents[1] / "src"
FLOORS = (
    {"support"},
    {"clips", "networks", "statistics"},
    {"training"},
    {"generators", "vlms"},
    {"coupling"},
    {"concepts"},
    {"generation"},
    {"baselines", "saliency"},
    {"metrics"},
    {"truth", "figures"},
    {"pipeline"},
    {"explainer"},
    {"commands"},
    {"cli"},
)
"""From the ground up; `docs/architecture.md` draws them."""
LEVEL = {room: level for level, rooms in enumerate(FLOORS) for room in rooms}


def _modules(package: str) -> list[Path]:
    return sorted((SRC / package).rglob("*.py"))


def _imports(path: Path) -> Iterator[str]:
    """What a module imports, also inside of functions; relative names are not used here."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: expected absolute imports"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _room(name: str) -> str | None:
    """`transporter.coupling.network.Phi` is in the room `coupling`."""
    package, _, rest = name.partition(".")
    return rest.partition(".")[0] if package == "transporter" else None


def test_every_room_has_a_floor() -> None:
    entries = [path for path in (SRC / "transporter").iterdir() if not path.name.startswith("__")]
    assert {path.stem for path in entries if path.is_dir() or path.suffix == ".py"} == set(LEVEL)


@pytest.mark.parametrize("room", sorted(LEVEL))
def test_no_import_runs_uphill(room: str) -> None:
    found = [path for path in _modules("transporter") if path.parts[len(SRC.parts) + 1] == room]
    files = found or [SRC / "transporter" / f"{room}.py"]
    reached = {(path, _room(name)) for path in files for name in _imports(path)}
    uphill = [
        f"{path.relative_to(SRC)} imports {other}"
        for path, other in reached
        if other in LEVEL and other != room and LEVEL[other] >= LEVEL[room]
    ]
    assert not uphill


def test_the_library_knows_no_world() -> None:
    tied = [
        str(path.relative_to(SRC))
        for path in _modules("transporter")
        if any(name.partition(".")[0] == "microworld" for name in _imports(path))
    ]
    assert not tied
