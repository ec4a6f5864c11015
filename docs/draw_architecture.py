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
    "explainer": "the method as one object",
    "commands": "verbs of the command line",
    "microworld": "a world with known truth",
}
HOUSE, ANNEX, ROW, GAP = 760, 190, 46, 6
"""Pixels: the house's width, the annex's, a floor's height, and the walls."""
FRAME = 'fill="#f3f5f8" stroke="#c9ced6"'
NAME = 'fill="#1c1f24" font-size="14" font-weight="bold"'
NOTE = 'fill="#1c1f24" font-size="11"'
QUIET = 'fill="#6b7178" font-size="11"'
FOOT = 'fill="#6b7178" font-size="11" text-anchor="end"'


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


def _text(x: float, y: float, text: str, style: str) -> str:
    return f'<text x="{x:g}" y="{y:g}" {style}>{escape(text)}</text>'


def _box(x: float, y: float, size: tuple[float, float], room: str, below: set[str]) -> list[str]:
    """One room: its name, what is in it, and what it stands on."""
    width, height = size
    foot = f"on {', '.join(sorted(below))}" if below else "the ground"
    return [
        f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="5" {FRAME}/>',
        _text(x + 10, y + 19, room, NAME),
        _text(x + 10, y + 36, WHAT.get(room, ""), NOTE),
        _text(x + width - 10, y + 19, foot, FOOT),
    ]


def draw() -> str:
    """The picture as SVG text; it holds nothing but the tree's own facts."""
    below = nearest(stands_on())
    order = [*WHAT, *(room for floor in FLOORS for room in floor if room not in WHAT)]
    height = len(FLOORS) * (ROW + GAP) - GAP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {HOUSE + GAP + ANNEX} {height}"'
        ' font-family="Helvetica, Arial, sans-serif" role="img">',
        "<title>The rooms of the library, floor by floor</title>",
    ]
    for level, floor in enumerate(reversed(FLOORS)):
        width = (HOUSE - GAP * (len(floor) - 1)) / len(floor)
        for column, room in enumerate(sorted(floor, key=order.index)):
            corner = column * (width + GAP), level * (ROW + GAP)
            parts += _box(*corner, (width, ROW), room, below[room])
    parts += _box(HOUSE + GAP, 0, (ANNEX, height), "microworld", set())[:-1]
    notes = (
        f"on {', '.join(sorted(below['microworld']))}",
        "a package of its own, which",
        "the library finds by an",
        "entry point",
    )
    for line, note in enumerate(notes):
        parts.append(_text(HOUSE + GAP + 10, 60 + 16 * line, note, QUIET))
    return "\n".join([*parts, "</svg>", ""])


if __name__ == "__main__":
    PICTURE.write_text(draw())
    print(PICTURE.relative_to(ROOT))
