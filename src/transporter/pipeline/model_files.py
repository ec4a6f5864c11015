"""The files of a model that jobs depend on."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from transporter.pipeline.config import MADE

NO_WEIGHTS = (".md", ".png", ".tsv")
"""Suffixes of files in a model's folder that tell of it: a job does not depend on them."""


def model_files(path: str | None) -> list[str]:
    """A model as a rule's input: what its folder holds, or the folder if a rule makes it; nothing
    for a name on the hub.
    """
    if path is None:
        return []
    return [path] if path.startswith(MADE) else list(_weights(path))


@cache
def _weights(folder: str) -> tuple[str, ...]:
    files = sorted(str(file) for file in Path(folder).rglob("*") if file.is_file())
    return tuple(file for file in files if _is_weight(Path(file)))


def _is_weight(file: Path) -> bool:
    about = file.suffix in NO_WEIGHTS or file.name == "card.json"
    return not about and not file.name.startswith(".")
