"""The world that the settings name, from the package that offers it."""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points

from transporter.clips.world import World
from transporter.support.errors import UserError

GROUP = "transporter.worlds"


def load_world(name: str | None) -> World | None:
    """The world called `name` among the entry points of installed packages; None for None.

    Raises:
        UserError: no installed package offers a world of that name.
    """
    return None if name is None else _offered(name).load()


def world_module(name: str) -> str:
    """The module that offers the world called `name`: what it imports is the world's code.

    Raises:
        UserError: no installed package offers a world of that name.
    """
    return _offered(name).module


def _offered(name: str) -> EntryPoint:
    offered = _worlds()
    if name not in offered:
        known = ", ".join(sorted(offered)) or "none is installed"
        raise UserError(f"key world: expected an installed world ({known}), got {name!r}")
    return offered[name]


@cache
def _worlds() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}
