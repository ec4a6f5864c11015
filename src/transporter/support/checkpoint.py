"""Training checkpoints without pickle: tensors in one safetensors file, everything else as JSON in
its header.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from transporter.support.errors import UserError
from transporter.support.files import written_whole
from transporter.support.hashes import LENGTH

PATIENCE = 120.0
"""Seconds after which a checkpoint is written whatever the step: a kill costs no more than these
and one step.
"""
SHARE = 0.05
"""Of the time at most, that writing for the clock alone may take: large states are written less
often.
"""


class Pace:
    """When a long computation writes its checkpoints: each `every` steps, and by the clock where
    steps are slow.
    """

    def __init__(self, every: int) -> None:
        self.every, self.wait, self.since = every, PATIENCE, time.monotonic()

    def due(self, step: int) -> bool:
        """Whether to write after so many steps."""
        return step % self.every == 0 or time.monotonic() - self.since > self.wait

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Around the writing, whose own time counts."""
        start = time.monotonic()
        yield
        self.since = time.monotonic()
        self.wait = max(PATIENCE, (self.since - start) / SHARE)


def _split(value: Any, path: str, tensors: dict[str, torch.Tensor]) -> Any:
    """Move tensors of a nested state into `tensors`, leaving their names behind."""
    if isinstance(value, torch.Tensor):
        # numbered, for keys that hold a slash, or both 1 and "1", would share a path
        name = f"{len(tensors)}{path}"
        tensors[name] = value.detach().to("cpu").contiguous().clone()
        return {"__tensor__": name}
    if isinstance(value, Mapping):
        return {
            "__map__": [
                [_key(key, path), _split(item, f"{path}/{key}", tensors)]
                for key, item in value.items()
            ]
        }
    if isinstance(value, list | tuple):
        return [_split(item, f"{path}/{index}", tensors) for index, item in enumerate(value)]
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise TypeError(
        f"checkpoint {path}: expected a tensor, a mapping, a list or a plain value, got"
        f" {type(value).__name__}"
    )


def _key(key: Any, path: str) -> str | int:
    if isinstance(key, str | int):
        return key
    raise TypeError(
        f"checkpoint {path or '/'}: expected keys that are text or whole numbers, got {key!r}"
    )


def _join(value: Any, tensors: Mapping[str, torch.Tensor]) -> Any:
    if isinstance(value, dict) and "__tensor__" in value:
        return tensors[value["__tensor__"]]
    if isinstance(value, dict):
        return {key: _join(item, tensors) for key, item in value["__map__"]}
    if isinstance(value, list):
        return [_join(item, tensors) for item in value]
    return value


def save_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Write a nested state of tensors and plain values; the file appears whole or not at all.

    Raises:
        TypeError: a value that JSON cannot hold, or a key that is neither text nor a whole number.
    """
    tensors: dict[str, torch.Tensor] = {}
    skeleton = json.dumps(_split(state, "", tensors))
    with written_whole(path) as partial:
        save_file(tensors, partial, metadata={"state": skeleton})


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read what `save_checkpoint` wrote (tuples come back as lists).

    Raises:
        UserError: the file is missing, damaged, or not a checkpoint.
    """
    if not path.is_file():
        raise UserError(f"{path}: expected a checkpoint, found no such file")
    try:
        with safe_open(path, framework="pt") as file:
            skeleton = (file.metadata() or {}).get("state")
            if skeleton is None:
                raise UserError(
                    f"{path}: expected a checkpoint, got a safetensors file without a training"
                    " state in its header"
                )
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    except SafetensorError as error:
        raise UserError(
            f"{path}: expected a checkpoint, could not read it ({error}); delete it to start over"
        ) from None
    return _join(json.loads(skeleton), tensors)


def load_own_checkpoint(path: Path, identity: str) -> dict[str, Any] | None:
    """Read a state with the keys `identity` and `step` if it is there and of this very run; None,
    and a line that says so, is a start from nothing.

    Args:
        identity: what the run is made from: settings, seed and data.

    Raises:
        UserError: the file is damaged, or not a checkpoint.
    """
    if not path.exists():
        return None
    state = load_checkpoint(path)
    if state.get("identity") != identity:
        print(f"{path.name} is of other settings, seed or data: starting afresh", flush=True)
        return None
    print(f"resumed {path.name} at step {state['step']}", flush=True)
    return state


def fingerprint(*tensors: torch.Tensor) -> str:
    """Hash of the types, shapes and bytes of tensors, wherever they are."""
    total = hashlib.sha256()
    for tensor in tensors:
        values = tensor.detach().cpu().contiguous().flatten()
        total.update(f"{tensor.dtype} {tuple(tensor.shape)} ".encode())
        total.update(values.view(torch.uint8).numpy())
    return total.hexdigest()[:LENGTH]
