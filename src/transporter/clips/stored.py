"""Rows of embeddings that stay on disk until they are asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors import SafetensorError, safe_open

from transporter.support.errors import UserError
from transporter.support.hashes import LENGTH

VALUES = "values"
"""The tensor of a shard."""
RESIDENT = 2**28
"""Bytes of float32 up to which embeddings are read whole, and read at once when they are not."""
Place = tuple[Path, int]
"""A shard, and a row of it."""
Choice = slice | torch.Tensor | Sequence[int]


class Rows(Protocol):
    """What a tensor `(n, ...)` and `StoredRows` have in common."""

    @property
    def shape(self) -> torch.Size: ...

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Any) -> torch.Tensor: ...


class StoredRows:
    """Rows `(n, ...)` of memory-mapped shards; those asked for come as float32 on the CPU.

    Raises:
        UserError: a shard is missing, damaged, or does not hold the row.
    """

    def __init__(self, places: Sequence[Place]) -> None:
        self.places = list(places)
        self._shards: dict[Path, Any] = {}
        self.shape = torch.Size((len(self.places), *self._read(*self.places[0]).shape))

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, rows: Choice) -> torch.Tensor:
        return torch.stack([self._read(*place) for place in self._chosen(rows)]).float()

    def only(self, rows: Choice) -> StoredRows:
        """Some of the rows, still on disk."""
        return StoredRows(self._chosen(rows))

    def origin(self) -> str:
        """Hash of which rows these are, and of what their shards were made from."""
        total = hashlib.sha256()
        for path, row in self.places:
            made = (self._shard(path).metadata() or {}).get("shard", "")
            total.update(f"{path.name} {row} {hashlib.sha256(made.encode()).hexdigest()} ".encode())
        return total.hexdigest()[:LENGTH]

    def _chosen(self, rows: Choice) -> list[Place]:
        if isinstance(rows, slice):
            return self.places[rows]
        numbers = rows.tolist() if isinstance(rows, torch.Tensor) else rows
        return [self.places[row] for row in numbers]

    def _read(self, path: Path, row: int) -> torch.Tensor:
        try:
            return self._shard(path).get_slice(VALUES)[row]
        except (OSError, SafetensorError, IndexError) as error:
            raise UserError(
                f"{path}: expected a row {row}, named by the index, could not read it ({error})"
            ) from None

    def _shard(self, path: Path) -> Any:
        if path not in self._shards:
            self._shards[path] = safe_open(path, framework="pt")
        return self._shards[path]


def row_bytes(rows: Rows) -> int:
    """Bytes of one row as float32."""
    return 4 * rows.shape[1:].numel()


def at_once(*several: Rows, limit: int = RESIDENT) -> int:
    """How many rows of the widest of them are within `limit` bytes; at least one."""
    return max(1, limit // max(map(row_bytes, several)))


def portions(count: int, size: int) -> Iterator[slice]:
    """Consecutive parts of at most `size` of `count` rows."""
    return (slice(first, min(first + size, count)) for first in range(0, count, size))
