"""Draw the house: every room of the library on its floor, with the rooms that it stands on, read
from the code's own imports.

`python docs/draw_architecture.py` writes `docs/pictures/architecture.svg`.
"""

from __future__ import annotations

import ast
import runpy
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SRC = ROOT / "src"
PICTURE = ROOT / "docs/pictures/architecture.svg"
FLOORS = runpy.run_path(str(ROOT / "tests/test_floors.py"))["FLOORS"]
"""From the ground up, as the test of imports has them."""
WHAT = {
    "support": "errors, files, hashes",
    "clips": "videos, words, embeddings",
    "networks": "hooks, published networks",
    "statistics": "intervals, divergences",
    "training": "one resumable loop",
    "generators": "Xi: frozen text-to-video",
    "vlms": "Omega: frozen VLMs",
    "coupling": "Phi: from Xi to Omega",
    "concepts": "the bank Q of vectors",
    "generation": "videos at strength phi",
    "baselines": "activation maximisation",
    "metrics": "the paper's scores",
    "truth": "is an explanation true?",
    "figures": "pages and pictures",
    "saliency": "where a word acts",
    "pipeline": "what the workflow needs",
    "cli": "the command line",
    "microworld": "a world with known truth",
}
WIDTH, ROOM, ROW, GAP = 980, 228, 62, 10
INK, QUIET, LINE, PAPER, WALL = "#1c1f24", "#6b7178", "#c9ced6", "#ffffff", "#f3f5f8"


def _modules(room: str) -> list[Path]:
    """The files of a room: those of a folder, or one module; `microworld` is a package."""
    folder = SRC / room if room == "microworld" else SRC / "transporter" / room
    return sorted(folder.rglob("*.py")) or [folder.with_suffix(".py")]


def _imported(path: Path) -> set[str]:
    """Names of modules that a file imports, also inside of functions."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def stands_on() -> dict[str, set[str]]:
    """For every room the rooms that it imports."""
    rooms = [room for floor in FLOORS for room in floor] + ["microworld"]
    found = {}
    for room in rooms:
        names = {name for path in _modules(room) for name in _imported(path)}
        parts = [name.split(".") for name in names]
        used = {part[1] for part in parts if part[0] == "transporter" and len(part) > 1}
        found[room] = (used & set(rooms)) - {room}
    return found


def nearest(arrows: dict[str, set[str]]) -> dict[str, set[str]]:
    """Without those that another imported room brings along."""
    reach: dict[str, set[str]] = {}

    def below(room: str) -> set[str]:
        if room not in reach:
            reach[room] = set(arrows[room]).union(*map(below, arrows[room]))
        return reach[room]

    return {
        room: {one for one in used if not any(one in below(other) for other in used - {one})}
        for room, used in arrows.items()
    }


def _text(x: float, y: float, text: str, colour: str, size: int, weight: str = "normal") -> str:
    style = f'fill="{colour}" font-size="{size}" font-weight="{weight}"'
    return f'<text x="{x:g}" y="{y:g}" {style}>{escape(text)}</text>'


def _box(x: float, y: float, room: str, below: set[str]) -> list[str]:
    """One room: its name, what is in it, and what it stands on."""
    frame = f'<rect x="{x:g}" y="{y:g}" width="{ROOM}" height="{ROW}" rx="5"'
    foot = f"on {', '.join(sorted(below))}" if below else "on the ground"
    return [
        f'{frame} fill="{PAPER}" stroke="{LINE}"/>',
        _text(x + 10, y + 19, room, INK, 14, "bold"),
        _text(x + 10, y + 36, WHAT[room], INK, 11),
        _text(x + 10, y + 52, foot, QUIET, 10),
    ]


def draw() -> str:
    """The picture as SVG text; it holds nothing but the tree's own facts."""
    below = nearest(stands_on())
    order = list(WHAT)
    height = len(FLOORS) * (ROW + 2 * GAP) + 3 * GAP + ROW
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}"'
        ' font-family="Helvetica, Arial, sans-serif" role="img">',
        "<title>The rooms of the library, floor by floor</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="{PAPER}"/>',
    ]
    for level, floor in enumerate(reversed(FLOORS)):
        top = level * (ROW + 2 * GAP) + GAP
        parts.append(
            f'<rect x="{GAP}" y="{top}" width="{WIDTH - 2 * GAP}" height="{ROW + GAP}"'
            f' rx="6" fill="{WALL}"/>'
        )
        for column, room in enumerate(sorted(floor, key=order.index)):
            parts += _box(
                1.5 * GAP + column * (ROOM + GAP), top + GAP / 2, room, below[room]
            )
    top = len(FLOORS) * (ROW + 2 * GAP) + 2 * GAP
    parts += _box(1.5 * GAP, top, "microworld", below["microworld"])
    annex = "an annex: a package of its own, which the library finds by an entry point"
    parts.append(_text(2.5 * GAP + ROOM, top + 36, annex, QUIET, 11))
    return "\n".join([*parts, "</svg>", ""])


if __name__ == "__main__":
    PICTURE.write_text(draw())
    print(PICTURE.relative_to(ROOT))
