"""Safetensors files, read whole or refused in one line."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from transporter.support.errors import UserError

FIRST = 3
"""Names that a message tells of many."""


def read_tensors(
    path: str | os.PathLike[str], expected: str, device: torch.device | str = "cpu"
) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """All tensors of a file by name, and what its header says.

    Raises:
        UserError: no such file, or one that is damaged or no safetensors; `expected` says what
            should have been there.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: expected {expected} (.safetensors), found no such file")
    try:
        with safe_open(path, framework="pt", device=str(device)) as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
            return tensors, file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise UserError(
            f"{path}: expected {expected} (.safetensors), could not read it ({error}); it may be"
            " cut off: make or fetch it again"
        ) from None


def header_json(
    header: dict[str, str], key: str, path: str | os.PathLike[str], expected: str
) -> dict[str, Any]:
    """The mapping that a file's header holds as JSON.

    Raises:
        UserError: it holds none; `expected` says of what kind of file.
    """
    try:
        content = json.loads(header[key])
    except (KeyError, ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise UserError(
            f"{path}: expected {expected}, got a safetensors file without its header ({key})"
        )
    return content


def first_names(names: Sequence[str]) -> str:
    """How many, and the first three."""
    more = ", ..." if len(names) > FIRST else ""
    tensors = "tensor" if len(names) == 1 else "tensors"
    return f"{len(names)} {tensors}: {', '.join(names[:FIRST])}{more}"
