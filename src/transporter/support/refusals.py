"""What is wrong with settings, in one line: what was expected, and what came."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from transporter.support.names import NAME_IN_WORDS

KINDS = {
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    list: "list",
    tuple: "list",
    dict: "mapping",
    type(None): "null",
}
"""Types of Python by their names in YAML."""
EXPECTED = {
    "dataclass_type": "a mapping",
    "dict_type": "a mapping",
    "tuple_type": "a list",
    "list_type": "a list",
    "string_type": "a string",
    "string_too_short": "some text",
    "int_from_float": "an integer",
    "int_type": "an integer",
    "float_type": "a number",
    "finite_number": "a finite number",
}
"""Kinds of errors without a number or a choice in them."""
BOUNDS = {
    "greater_than_equal": ("at least", "ge"),
    "greater_than": ("more than", "gt"),
    "less_than_equal": ("at most", "le"),
    "less_than": ("less than", "lt"),
}
UNKNOWN = ("unexpected_keyword_argument", "extra_forbidden")


LETTERS, VALUE = 300, 100
"""Of a refusal without the file that it blames, and of a value in it, at most."""


def dotted(path: Sequence[Any]) -> str:
    """`("a", "b", 0)` as `a.b[0]`."""
    parts = [f"[{key}]" if isinstance(key, int) else f".{_visible(key)}" for key in path]
    return short("".join(parts).removeprefix("."), VALUE)


def _visible(key: Any) -> str:
    text = str(key)
    return text if text.isprintable() else ascii(text)[1:-1]


def short(text: str, letters: int = LETTERS) -> str:
    """The text on one line, its middle left out where it is longer than so many letters."""
    text = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)
    if len(text) <= letters:
        return text
    last = letters // 2
    return f"{text[: letters - last - 5]} ... {text[-last:]}"


def shown(value: Any) -> str:
    """A value and its type, as a person who writes YAML names it; the middle of a long one is left
    out.
    """
    kind = KINDS.get(type(value), type(value).__name__)
    if isinstance(value, int) and value.bit_length() > VALUE:
        return f"a number of {int(value.bit_length() * math.log10(2)) + 1} digits ({kind})"
    try:
        text = repr(value)
    except (RecursionError, ValueError):
        return f"one that is too large to be shown ({kind})"
    return f"{short(text, VALUE)} ({kind})"


def nearest(name: Any, known: Sequence[str]) -> str:
    """`; did you mean ...?` where one of `known` looks like `name`, else nothing."""
    near = difflib.get_close_matches(str(name), known, n=1)
    return f"; did you mean {near[0]}?" if near else ""


def merged(part: Any, definitions: Mapping[str, Any]) -> Any:
    """A JSON schema with what its references stand for in their place."""
    if isinstance(part, list):
        return [merged(item, definitions) for item in part]
    if not isinstance(part, dict):
        return part
    own = {key: merged(value, definitions) for key, value in part.items() if key != "$ref"}
    if "$ref" not in part:
        return own
    return merged(definitions[part["$ref"].rpartition("/")[2]], definitions) | own


def explained(
    error: ValidationError, given: Any, schema: Mapping[str, Any]
) -> tuple[list[Any], str]:
    """Path of the key that is wrong, and what is wrong with it.

    `given` are the settings that were refused, and `schema` their JSON schema.
    """
    found = error.errors(include_url=False)
    worst = min(found, key=_rank)
    kind, value, context = worst["type"], worst["input"], worst.get("ctx", {})
    path = _path(worst["loc"], given)
    if kind in UNKNOWN:
        name = worst["loc"][-1]
        known = list(_part(schema, path[:-1]).get("properties", {}))
        choice = f"expected one of the keys {', '.join(known)}, got an unknown key"
        return path, f"{choice}{nearest(name, known)}"
    if kind == "missing" and isinstance(value, list | tuple):
        wanted = max(one["loc"][-1] for one in found if one["loc"][:-1] == worst["loc"][:-1]) + 1
        return path, f"expected at least {_entries(wanted)}, got {shown(value)}"
    if kind == "missing":
        missing = [*path, worst["loc"][-1]]
        return missing, "expected a value, got none; this key has no default"
    if kind == "string_pattern_mismatch":
        return path, f"expected names of {NAME_IN_WORDS}, got {shown(value)}"
    null = " or null" if kind.endswith("_type") and _takes_null(_part(schema, path)) else ""
    return path, f"expected {_expectation(kind, context, worst['msg'])}{null}, got {shown(value)}"


def _rank(error: Mapping[str, Any]) -> tuple[bool, bool, int]:
    """Unknown keys first, since a key that is misspelt also leaves one out, then what is wrong
    higher up; last what only follows from another error: of a list that its other form is no
    list, and that it is short once its bad entries are left out.
    """
    kind, value = error["type"], error["input"]
    follows = isinstance(value, list | tuple) and (
        kind == "literal_error"
        or (kind == "too_short" and len(value) >= error["ctx"]["min_length"])
    )
    return kind not in UNKNOWN, follows, len(error["loc"])


def _path(location: Sequence[Any], given: Any) -> list[Any]:
    """The part of an error's location that is a path into the settings: pydantic also names types
    on the way.
    """
    path = []
    for key in location:
        if _holds(given, key):
            given = given[key]
            path.append(key)
    return path


def _holds(given: Any, key: Any) -> bool:
    if isinstance(given, Mapping):
        return key in given
    return isinstance(given, list | tuple) and isinstance(key, int) and key < len(given)


def _part(schema: Mapping[str, Any], path: Sequence[Any]) -> Mapping[str, Any]:
    """What a schema says about one key; nothing where it says nothing."""
    for key in path:
        schema = schema.get("properties", {}).get(key) or any_key(schema) or {}
    return schema


def any_key(schema: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What a schema says about keys that a user names; None where there are no such keys."""
    patterns = schema.get("patternProperties", {})
    others = schema.get("additionalProperties") or next(iter(patterns.values()), None)
    return others or None


def _takes_null(part: Mapping[str, Any]) -> bool:
    return any(option.get("type") == "null" for option in part.get("anyOf", ()))


def _entries(count: int) -> str:
    return f"{count} {'entry' if count == 1 else 'entries'}"


def _expectation(kind: str, context: Mapping[str, Any], message: str) -> str:
    """What was expected, in words that go on after `expected`."""
    if kind in EXPECTED:
        return EXPECTED[kind]
    if kind in BOUNDS:
        words, bound = BOUNDS[kind]
        return f"{words} {context[bound]:g}"
    if kind == "literal_error":
        choices = context["expected"].replace("' or '", "', '").replace("'", "")
        return f"one of {choices}"
    if kind == "too_short":
        return f"at least {_entries(context['min_length'])}"
    if kind == "too_long":
        return f"at most {_entries(context['max_length'])}"
    if kind == "string_too_long":
        return f"at most {context['max_length']} letters"
    return message[:1].lower() + message[1:]
