"""Adapters of generators and VLMs by name, found without importing any: those that installed
packages offer, or a class of any module.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.util
from functools import cache
from importlib.metadata import entry_points

from transporter.pipeline.code_hash import source_file
from transporter.pipeline.written_classes import stands_on
from transporter.support.errors import UserError

GROUPS = {"generators": "transporter.generators", "vlms": "transporter.vlms"}
"""Kinds of models, as the settings call them, and the groups of entry points that offer them."""
BASES = {
    "generators": "transporter.generators.base:Generator",
    "vlms": "transporter.vlms.base:VLM",
}
"""What an adapter of each kind implements."""
GIVEN = ("device", "video_shape")
"""Arguments of adapters that come from the run, not from the settings."""


def adapter_place(kind: str, name: str) -> str:
    """Where an adapter is, as `module:Class`; `name` says so itself or is an installed one's.

    Raises:
        UserError: no installed package offers an adapter of that name, or there is no such module.
    """
    if ":" in name:
        package = name.partition(":")[0].partition(".")[0]
        if not package.isidentifier() or importlib.util.find_spec(package) is None:
            raise UserError(
                f"key adapter: expected a class as module:Class, got {name!r}, and no module"
                f" {package!r} can be found; install it or put its folder on PYTHONPATH"
            )
        return name
    offered = _offered(kind)
    if name not in offered:
        near = difflib.get_close_matches(name, offered, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        known = ", ".join(sorted(offered)) or "none; install transporter anew"
        raise UserError(
            f"key adapter: expected module:Class or one of the installed {kind} ({known}), got"
            f" {name!r}{hint}"
        )
    return offered[name]


@cache
def _offered(kind: str) -> dict[str, str]:
    """Names of installed adapters, and where each is: every job of a run asks, and to look through
    all installed packages takes a while.
    """
    return {point.name: point.value for point in entry_points(group=GROUPS[kind])}


def check_adapter(kind: str, name: str) -> None:
    """Check that an adapter is a class of the right kind, by its source alone.

    Raises:
        UserError: there is no such adapter, its module has no source, or it is no class of that
            kind.
    """
    place, base = adapter_place(kind, name), BASES[kind]
    module = place.partition(":")[0]
    if source_file(module) is None:
        raise UserError(
            f"key adapter: expected a class in a module with a source file, got {name!r}, and no"
            f" such file of {module!r} can be found; install it or put its folder on PYTHONPATH"
        )
    try:
        found = place != base and stands_on(place, base)
    except (SyntaxError, ValueError) as error:
        raise UserError(
            f"key adapter: expected a class in a module of Python, got {name!r}: {error}"
        ) from None
    if not found:
        raise UserError(
            f"key adapter: expected a class that implements {base.replace(':', '.')}, got {name!r},"
            " which does not"
        )


def adapter_module(kind: str, name: str) -> str:
    """The module that an adapter is in, which is what a job's code hash must follow.

    Raises:
        UserError: there is no such adapter.
    """
    return adapter_place(kind, name).partition(":")[0]


def import_adapter(kind: str, name: str) -> type:
    """The class of an adapter; nothing else of its kind is imported.

    Raises:
        UserError: there is no such adapter, or its module cannot be imported or lacks the class.
    """
    place = adapter_place(kind, name)
    module, _, attribute = place.partition(":")
    try:
        found = importlib.import_module(module)
    except ImportError as error:
        raise UserError(
            f"key adapter: expected {name!r} to be imported from {module}, got: {error}"
        ) from error
    if not isinstance(adapter := getattr(found, attribute, None), type):
        raise UserError(f"key adapter: expected a class {attribute!r} in {module}, found none")
    return adapter
