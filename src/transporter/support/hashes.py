"""Short hashes of values and of files."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

LENGTH = 16
"""Hexadecimal digits kept of a hash."""


def digest(*values: Any) -> str:
    """Hash of values that JSON can hold; the order of the keys of a mapping does not matter."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:LENGTH]


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def files_hash(paths: Iterable[str | os.PathLike[str]]) -> str:
    """Hash of names and bytes of files, and of all files in the folders among them."""
    parts = []
    for path in map(Path, [paths] if isinstance(paths, str) else paths):
        files = (
            sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
        )
        parts += [(str(file), file_hash(file)) for file in files]
    return digest(parts)
