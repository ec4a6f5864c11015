"""The experiment's settings: read, checked, and completed with defaults, before anything runs."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from transporter.concepts.settings import ASKING
from transporter.pipeline.ablations import laid_over
from transporter.pipeline.checks import CHECKS, MADE
from transporter.pipeline.refusals import Source, refusal
from transporter.pipeline.settings import SPLITS, GeneratorSettings, Settings, VLMSettings
from transporter.pipeline.templates import refuse_code
from transporter.support.errors import UserError
from transporter.support.refusals import any_key, explained, shown
from transporter.support.settings import adapter, plain, schema

__all__ = ["ASKING", "MADE", "Source", "check_config", "load_config", "settings_table", "typed"]

ANY = "<name>"
"""Stands in the table for a name that a user chooses."""


def load_config(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a YAML file of settings.

    Raises:
        UserError: the file is missing, code or not a YAML mapping, or `check_config` refuses it.
    """
    refuse_code(path)
    try:
        settings = yaml.safe_load(Path(path).read_text())
    except OSError as error:
        raise UserError(f"{path}: expected a YAML file, got {error.strerror}") from error
    except yaml.YAMLError as error:
        raise UserError(f"{path}: expected YAML, got {' '.join(str(error).split())}") from error
    if not isinstance(settings, dict):
        raise UserError(f"{path}: expected a mapping of keys to values, got {shown(settings)}")
    return check_config(settings, [(str(path), settings)])


def check_config(settings: Mapping[str, Any], sources: Sequence[Source]) -> dict[str, Any]:
    """Settings with all defaults filled in, keys in the order of `settings.Settings`.

    `sources` are the files that `settings` were merged from, the one that wins last; an error names
    the one to blame.

    Raises:
        UserError: in one line the file, the key, what was expected and what came.
    """
    complete = _completed(settings, sources)
    for check in CHECKS:
        check(complete, sources)
    return complete


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
    except yaml.YAMLError:
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
