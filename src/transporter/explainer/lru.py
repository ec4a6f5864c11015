"""A few values by key, the last ones used."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class LRU(Generic[Value]):
    """Values by key, of which those that were used least recently go where there are too many."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.kept: dict[Hashable, Value] = {}

    def put(self, key: Hashable, value: Value) -> Value:
        self.kept.pop(key, None)
        self.kept[key] = value
        while len(self.kept) > self.most:
            del self.kept[next(iter(self.kept))]
        return value

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """The value that is kept, or else the one that is made."""
        return self.put(key, self.kept[key] if key in self.kept else make())
