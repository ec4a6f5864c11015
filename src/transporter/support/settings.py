"""From the nested values of a configuration to a frozen dataclass of settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from transporter.support.errors import UserError

Made = TypeVar("Made")


def read_settings(cls: type[Made], mapping: Mapping[str, Any], where: str) -> Made:
    """The frozen dataclass `cls` from nested values; keys left out keep their defaults. `where`
    begins the names in errors.

    Raises:
        UserError: an unknown key, or a value of another type or outside its choices; the message
            names the key.
    """
    known = get_type_hints(cls)
    if not isinstance(mapping, Mapping):
        raise UserError(f"{where}: expected keys out of {', '.join(known)}, got {mapping!r}")
    unknown = [key for key in mapping if key not in known]
    if unknown:
        raise UserError(f"{where}.{unknown[0]}: unknown key; known are {', '.join(known)}")
    given = {
        f.name: _value(known[f.name], mapping[f.name], f"{where}.{f.name}")
        for f in fields(cls)
        if f.name in mapping
    }
    return cls(**given)


def _value(kind: Any, value: Any, where: str) -> Any:
    if hasattr(kind, "__dataclass_fields__"):
        return read_settings(kind, value, where)
    if get_origin(kind) is Literal:
        return _checked(
            value in get_args(kind), value, where, f"one of {', '.join(get_args(kind))}"
        )
    if get_origin(kind) is tuple:
        sizes = get_args(kind)
        fits = (
            isinstance(value, list | tuple)
            and len(value) == len(sizes)
            and all(type(item) is int and item > 0 for item in value)
        )
        return tuple(_checked(fits, value, where, f"{len(sizes)} whole numbers above 0"))
    number = isinstance(value, int | float) and not isinstance(value, bool) and value >= 0
    fits = number and (kind is float or isinstance(value, int))
    return kind(
        _checked(
            fits, value, where, {int: "a whole number", float: "a number"}[kind] + ", not negative"
        )
    )


def _checked(fits: bool, value: Any, where: str, expected: str) -> Any:
    if not fits:
        raise UserError(f"{where}: expected {expected}, got {value!r}")
    return value
