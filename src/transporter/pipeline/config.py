"""The experiment's settings: read, checked, and completed with defaults, before anything runs."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from transporter.concepts.settings import ASKING
from transporter.pipeline.ablations import laid_over
from transporter.pipeline.checks import CHECKS, MADE, OF_CLIPS
from transporter.pipeline.clip_settings import SPLITS
from transporter.pipeline.model_settings import GeneratorSettings, VLMSettings
from transporter.pipeline.refusals import Source, refusal
from transporter.pipeline.settings import Settings
from transporter.pipeline.templates import refuse_code
from transporter.support.errors import UserError
from transporter.support.refusals import any_key, explained, short, shown
from transporter.support.settings import adapter, plain, schema

__all__ = [
    "ASKING",
    "MADE",
    "Source",
    "check_config",
    "load_config",
    "read_sources",
    "settings_table",
    "typed",
]

ANY = "<name>"
"""Stands in the table for a name that a user chooses."""
BITS = 63
"""Of a whole number, beside its sign."""
BYTES, DEPTH, VALUES = 10**6, 20, 10**5
"""Of settings: bytes of a file, levels, and values in all, at most."""
DEEP = f"values more than {DEPTH} levels deep, or more than {VALUES} of them"


def load_config(path: str | os.PathLike[str], clips: bool = True) -> dict[str, Any]:
    """Read a YAML file of settings; without `clips`, those that it names need not be there.

    Raises:
        UserError: the file is missing, code or not a YAML mapping, or `check_config` refuses it.
    """
    refuse_code(path)
    settings = read_yaml(path)
    return check_config(settings, [(str(path), settings)], clips)


def read_yaml(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a YAML file of settings, whatever they are.

    Raises:
        UserError: the file is missing, larger than any settings, not UTF-8, or not a YAML mapping.
    """
    try:
        with Path(path).open("rb") as file:
            content = file.read(BYTES + 1)
        if len(content) > BYTES:
            raise UserError(f"{path}: expected settings of at most {BYTES} bytes, got more")
        settings = yaml.safe_load(content.decode("utf-8-sig"))
    except OSError as error:
        raise UserError(f"{path}: expected a YAML file, got {error.strerror}") from None
    except ValueError as error:
        raise UserError(
            f"{path}: expected a YAML file in UTF-8, got: {short(str(error))}"
        ) from None
    except yaml.YAMLError as error:
        raise UserError(
            f"{path}: expected YAML, got {short(' '.join(str(error).split()))}"
        ) from None
    except RecursionError:
        raise UserError(f"{path}: expected settings, got {DEEP}") from None
    if settings is None:
        return {}
    if not isinstance(settings, dict):
        raise UserError(f"{path}: expected a mapping of keys to values, got {shown(settings)}")
    return settings


def read_sources(files: Sequence[str | os.PathLike[str]], given: Mapping[str, Any]) -> list[Source]:
    """The files and options that settings came from, the one that wins last: YAML files, named as
    seen from here, then what was `given` on the command line.
    """
    names = [os.path.relpath(file) for file in files]
    sources = [(name, read_yaml(name)) for name in names]
    return [*sources, *([("--config", typed(given))] if given else [])]


def check_config(
    settings: Mapping[str, Any], sources: Sequence[Source], clips: bool = True
) -> dict[str, Any]:
    """Settings with all defaults filled in, keys in the order of `settings.Settings`.

    `sources` are the files that `settings` were merged from, the one that wins last; an error names
    the one to blame.

    Raises:
        UserError: in one line the file, the key, what was expected and what came.
    """
    _refuse_bombs(settings, sources)
    complete = _completed(settings, sources)
    for check in CHECKS:
        if clips or check not in OF_CLIPS:
            check(complete, sources)
    return complete


def _refuse_bombs(settings: Mapping[str, Any], sources: Sequence[Source]) -> None:
    """Settings that would take long only to look at, by depth or by aliases, and keys that no path
    can name.
    """
    waiting: list[tuple[tuple[Any, ...], Any]] = [((), settings)]
    seen = 0
    while waiting:
        path, value = waiting.pop()
        seen += 1
        if len(path) > DEPTH or seen > VALUES:
            raise refusal(sources, path[:3], f"expected settings, got {DEEP}")
        if isinstance(value, Mapping):
            for key in value:
                if not isinstance(key, str):
                    raise refusal(sources, path, f"expected names as keys, got {shown(key)}")
            waiting += [((*path, key), item) for key, item in value.items()]
        elif isinstance(value, str | int | float):
            _refuse_odd(value, path, sources)
        elif isinstance(value, list):
            waiting += [((*path, place), item) for place, item in enumerate(value)]


def _refuse_odd(value: str | float, path: Sequence[Any], sources: Sequence[Source]) -> None:
    """What no key takes, those of an adapter of your own among them."""
    if isinstance(value, str) and not value.isprintable():
        expected = "text on one line without control characters"
    elif isinstance(value, float) and not math.isfinite(value):
        expected = "a finite number"
    elif isinstance(value, int) and value.bit_length() > BITS:
        expected = f"a number of at most {BITS} bits"
    else:
        return
    raise refusal(sources, path, f"expected {expected}, got {shown(value)}")


def _completed(settings: Mapping[str, Any], sources: Sequence[Source]) -> dict[str, Any]:
    try:
        made = adapter(Settings).validate_python(settings)
    except ValidationError as error:
        path, complaint = explained(error, settings, schema(Settings))
        raise refusal(sources, path, complaint) from None
    complete = laid_over(plain(made), settings)
    splits = complete["clips"]["splits"]
    for split, clips in plain(SPLITS[complete["clips"]["source"]]).items():
        splits[split] = clips if splits[split] is None else splits[split]
    return complete


def typed(value: Any) -> Any:
    """Values from a command line, where a number inside braces or brackets arrives as text: text
    becomes what YAML reads in it.
    """
    if isinstance(value, Mapping):
        return {key: typed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [typed(item) for item in value]
    try:
        return yaml.safe_load(value) if isinstance(value, str) else value
    except (yaml.YAMLError, ValueError, RecursionError):
        return value


def settings_table() -> str:
    """Every key, its default and what it means, as a table in Markdown."""
    generator, vlm = GeneratorSettings("wan", ""), VLMSettings("qwen_vl", "")
    defaults = Settings(generators={ANY: generator}, vlms={ANY: vlm}, ablations={ANY: {}})
    rows = [f"| `{key}` | {default} | {meaning} |" for key, default, meaning in _rows(defaults)]
    return "\n".join(["| key | default | meaning |", "|---|---|---|", *rows])


def _rows(defaults: Settings) -> Iterator[tuple[str, str, str]]:
    """Key, default and meaning of all that holds a value."""

    def below(part: Mapping[str, Any], values: Mapping[str, Any], above: str) -> Iterator[Any]:
        parts = part["properties"] if "properties" in part else {ANY: any_key(part)}
        for name, inner in parts.items():
            if inner.get("type") == "object" and not inner.get("partial"):
                yield from below(inner, values[name], f"{above}{name}.")
            elif name in part.get("required", ()):
                yield f"{above}{name}", "must be given", _meaning(inner)
            else:
                yield f"{above}{name}", _default(values, name), _meaning(inner)

    yield from below(schema(Settings), plain(defaults), "")


def _meaning(part: Mapping[str, Any]) -> str:
    return " ".join(part["description"].split())


def _default(values: Mapping[str, Any], name: str) -> str:
    if name not in values:
        return "none"
    value = values[name]
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"
