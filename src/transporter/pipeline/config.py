"""The experiment's settings: read, checked against their schema, and completed with its defaults,
before anything runs.
"""

from __future__ import annotations

import copy
import difflib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match

from transporter.clips.contrast import COLUMNS, read_concepts
from transporter.pipeline.adapters import adapter_place
from transporter.pipeline.world import load_world
from transporter.support.errors import UserError
from transporter.support.files import read_table

SCHEMAS = Path(__file__).parent / "schemas"
ASKING = ("answers", "logits")
"""Objectives of the bank that are fitted on one-word edits which the VLM answers differently."""
MADE = ("results/models/", "results/planted/")
"""Models below these folders are made by rules, so they need not be there yet."""

Source = tuple[str, Mapping[str, Any]]
"""Name of a file and the settings that came from it."""


def load_config(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a YAML file of settings.

    Raises:
        UserError: the file is missing or not a YAML mapping, or `check_config` refuses it.
    """
    try:
        settings = yaml.safe_load(Path(path).read_text())
    except OSError as error:
        raise UserError(f"{path}: expected a YAML file, got {error.strerror}") from error
    except yaml.YAMLError as error:
        raise UserError(f"{path}: expected YAML, got {' '.join(str(error).split())}") from error
    if not isinstance(settings, dict):
        raise UserError(f"{path}: expected a mapping of keys to values, got {_shown(settings)}")
    return check_config(settings, [(str(path), settings)])


def check_config(settings: Mapping[str, Any], sources: Sequence[Source]) -> dict[str, Any]:
    """Settings with the schema's defaults filled in, keys in the schema's order.

    `sources` are the files that `settings` were merged from, the one that wins last; an error names
    the one to blame.

    Raises:
        UserError: in one line the file, the key, what was expected and what came.
    """
    schema = yaml.safe_load((SCHEMAS / "config.schema.yaml").read_text())
    error = best_match(Draft202012Validator(schema).iter_errors(settings), key=_relevance)
    if error is not None:
        path, complaint = _explained(error)
        raise _refusal(sources, path, complaint)
    complete = _completed(settings, schema)
    _check_phi(complete, sources)
    _check_choice(complete, sources)
    _check_places(complete, sources)
    _check_concepts(complete, sources)
    _check_world(complete, sources)
    _check_figures(complete, sources)
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
    schema = yaml.safe_load((SCHEMAS / "config.schema.yaml").read_text())
    rows = [
        f"| `{key}` | {_default(part)} | {part['description']} |" for key, part in _leaves(schema)
    ]
    return "\n".join(["| key | default | meaning |", "|---|---|---|", *rows])


def _leaves(schema: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    parts = dict(schema.get("properties", {}))
    if isinstance(others := schema.get("additionalProperties"), Mapping):
        parts["<name>"] = others
    for name, part in parts.items():
        if part.get("type") == "object":
            yield from _leaves(part, f"{above}{name}.")
        else:
            yield f"{above}{name}", part


def _default(part: Mapping[str, Any]) -> str:
    if "default" not in part:
        return "none" if "$ref" in part else "must be given"
    value = part["default"]
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"


def _refusal(sources: Sequence[Source], path: Sequence[Any], complaint: str) -> UserError:
    return UserError(
        f"{_blamed(sources, path)}: {_dotted(path)}: {complaint}"
        if path
        else f"{_blamed(sources, path)}: {complaint}"
    )


def _blamed(sources: Sequence[Source], path: Sequence[Any]) -> str:
    """The last file that holds the key, else the one that holds most of the way to it."""

    def depth(settings: Any) -> int:
        for length, key in enumerate(path):
            if not isinstance(settings, Mapping) or key not in settings:
                return length
            settings = settings[key]
        return len(path)

    return max(enumerate(sources), key=lambda numbered: (depth(numbered[1][1]), numbered[0]))[1][0]


def _dotted(path: Sequence[Any]) -> str:
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path).removeprefix(
        "."
    )


def _shown(value: Any) -> str:
    kind = {
        bool: "boolean",
        int: "integer",
        float: "number",
        str: "string",
        list: "list",
        dict: "mapping",
        type(None): "null",
    }
    return f"{value!r} ({kind.get(type(value), type(value).__name__)})"


def _relevance(error: ValidationError) -> tuple[bool, int]:
    """Unknown keys first: a key that is misspelt also leaves one out."""
    return error.validator == "additionalProperties", -len(error.path)


def _explained(error: ValidationError) -> tuple[list[Any], str]:
    """Path of the key that is wrong, and what is wrong with it."""
    path, expected, value = list(error.absolute_path), error.validator_value, error.instance
    if error.validator == "additionalProperties":
        known = list(error.schema.get("properties", {}))
        unknown = next(key for key in value if key not in known)
        near = difflib.get_close_matches(str(unknown), known, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        return [
            *path,
            unknown,
        ], f"expected one of the keys {', '.join(known)}, got an unknown key{hint}"
    if error.validator == "required":
        missing = next(key for key in expected if key not in value)
        return [*path, missing], "expected a value, got none; this key has no default"
    if "propertyNames" in error.absolute_schema_path:
        return path, f"expected names of letters, digits, '_', '.' and '-', got {_shown(value)}"
    return path, f"expected {_expectation(error)}, got {_shown(value)}"


def _expectation(error: ValidationError) -> str:
    names = {
        "object": "a mapping",
        "array": "a list",
        "string": "a string",
        "integer": "an integer",
        "number": "a number",
        "null": "null",
    }
    value = error.validator_value
    match error.validator:
        case "type":
            return " or ".join(
                names.get(kind, kind) for kind in ([value] if isinstance(value, str) else value)
            )
        case "enum":
            return f"one of {', '.join(map(str, value))}"
        case "const":
            return str(value)
        case "minimum":
            return f"at least {value}"
        case "exclusiveMinimum":
            return f"more than {value}"
        case "maximum":
            return f"at most {value}"
        case "minItems" | "minProperties" | "minLength":
            return (
                f"at least {value} {'entry' if value == 1 else 'entries'}"
                if error.validator != "minLength"
                else "some text"
            )
        case "uniqueItems":
            return "no entry twice"
        case "anyOf":
            return " or ".join(_alternative(option, names) for option in value)
    return error.message


def _alternative(option: Mapping[str, Any], names: Mapping[str, str]) -> str:
    return (
        repr(option["const"])
        if "const" in option
        else names.get(option.get("type", ""), str(option))
    )


def _completed(value: Any, schema: Mapping[str, Any]) -> Any:
    # what is laid over another part, and an adapter's own options, have no defaults
    free = "$ref" in schema or schema.get("additionalProperties") is True
    if not isinstance(value, Mapping) or free:
        return copy.deepcopy(value)
    known, others = schema.get("properties", {}), schema.get("additionalProperties")
    result = {}
    for key, part in known.items():
        if key in value or "default" in part:
            result[key] = _completed(value.get(key, part.get("default")), part)
    for key in value:
        if key not in known and isinstance(others, Mapping):
            result[key] = _completed(value[key], others)
    return result


def _check_phi(config: Mapping[str, Any], sources: Sequence[Source]) -> None:
    phi, path = config["generation"]["phi"], ("generation", "phi")
    if any(after <= before for before, after in pairwise(phi)):
        raise _refusal(sources, path, f"expected numbers in rising order, got {phi}")
    if not {0, 1} <= set(phi):
        raise _refusal(
            sources, path, f"expected a list that holds 0 (source) and 1 (target), got {phi}"
        )


def _check_choice(config: Mapping[str, Any], sources: Sequence[Source]) -> None:
    for kind in ("generators", "vlms"):
        for name in config["run"][kind]:
            if name not in config[kind]:
                raise _refusal(
                    sources,
                    ("run", kind),
                    f"expected names from {kind} ({', '.join(config[kind])}), got {name!r}",
                )
    for kind in ("generators", "vlms"):
        for name, model in config[kind].items():
            try:
                adapter_place(kind, model["adapter"])
            except UserError as error:
                complaint = str(error).removeprefix("key adapter: ")
                raise _refusal(sources, (kind, name, "adapter"), complaint) from None
    for name in () if config["truth"]["vlms"] == "all" else config["truth"]["vlms"]:
        if name not in config["vlms"]:
            raise _refusal(
                sources,
                ("truth", "vlms"),
                f"expected names from vlms ({', '.join(config['vlms'])}), got {name!r}",
            )
    shown, made = config["gallery"]["seeds"], config["generation"]["seeds"]
    if shown > made:
        raise _refusal(
            sources,
            ("gallery", "seeds"),
            f"expected at most generation.seeds ({made}), got {shown}",
        )


def _check_places(config: Mapping[str, Any], sources: Sequence[Source]) -> None:
    clips = config["clips"]
    if clips["source"] == "folder":
        folder = Path(clips["folder"])
        for part in (folder, folder / "captions.tsv", folder / "clips"):
            if not part.exists():
                raise _refusal(
                    sources,
                    ("clips", "folder"),
                    f"expected a folder with captions.tsv and clips/, got no {part}",
                )
    paths = {
        (kind, name, "path"): config[kind][name]["path"]
        for kind in ("generators", "vlms")
        for name in config["run"][kind]
    }
    if config["probes"] is not None:
        paths[("probes",)] = config["probes"]
    if config["metrics"]["clip_judge"] is not None:
        paths[("metrics", "clip_judge")] = config["metrics"]["clip_judge"]
    for key, path in paths.items():
        if _is_place(path) and not Path(path).is_dir():
            raise _refusal(
                sources, key, f"expected a model's folder, got {path}, which is not there"
            )


def _is_place(path: str) -> bool:
    """Whether a model's path means a folder that must exist, not a name on the hub or what a rule
    makes.
    """
    if path.startswith(MADE):
        return False
    return (
        path.startswith((".", "/", "~", "models/"))
        or path.count("/") != 1
        or Path(path).parts[0] == "results"
    )


def _check_concepts(config: Mapping[str, Any], sources: Sequence[Source]) -> None:
    path, wanted = config["concepts"], config["run"]["concepts"]
    if not Path(path).is_file():
        raise _refusal(
            sources, ("concepts",), f"expected a table of concepts, got {path}, which is not there"
        )
    schema = yaml.safe_load((SCHEMAS / "concepts.schema.yaml").read_text())
    for line, row in enumerate(read_table(path, COLUMNS).astype(str).to_dict("records"), start=2):
        error = best_match(Draft202012Validator(schema).iter_errors(row))
        if error is not None:
            raise UserError(
                f"{path}: line {line}, {_dotted(list(error.path))}: expected {_pattern(error)}, got"
                f" {error.instance!r}"
            )
    known = [concept.name for concept in read_concepts(path)]
    unknown = [name for name in wanted if name not in known] if isinstance(wanted, list) else []
    if unknown:
        near = difflib.get_close_matches(unknown[0], known, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise _refusal(
            sources,
            ("run", "concepts"),
            f"expected names from {path} ({', '.join(known)}), got {unknown[0]!r}{hint}",
        )


def _check_world(config: Mapping[str, Any], sources: Sequence[Source]) -> None:
    try:
        world = load_world(config["world"])
    except UserError as error:
        raise UserError(f"{_blamed(sources, ('world',))}: {error}") from None
    if world is None:
        if config["clips"]["source"] == "world":
            raise _refusal(
                sources, ("clips", "source"), "expected folder, since world is null, got 'world'"
            )
        return
    path = config["shortcuts"]
    if not Path(path).is_file():
        raise _refusal(
            sources,
            ("shortcuts",),
            f"expected a table of shortcuts, got {path}, which is not there",
        )
    world.read_shortcuts(path)


def _check_figures(config: Mapping[str, Any], sources: Sequence[Source]) -> None:
    figures, wanted = config["figures"], config["run"]["concepts"]
    run = [
        concept.name
        for concept in read_concepts(config["concepts"], None if wanted == "all" else wanted)
    ]
    named = {("several", number): names for number, names in enumerate(figures["several"] or ())}
    named |= {
        (figure, "concepts"): figures[figure]["concepts"] or ()
        for figure in ("injection", "partial_frames")
    }
    for path, names in named.items():
        if unknown := [name for name in names if name not in run]:
            raise _refusal(
                sources,
                ("figures", *path),
                f"expected concepts of the run ({', '.join(run)}), got {unknown[0]!r}",
            )
    steps, parts = (
        config["generators"][config["run"]["generators"][0]]["steps"],
        figures["injection"]["parts"],
    )
    if parts > steps:
        raise _refusal(
            sources,
            ("figures", "injection", "parts"),
            f"expected at most the generator's steps ({steps}), got {parts}",
        )


def _pattern(error: ValidationError) -> str:
    return (
        "letters, digits, '_', '.' and '-'" if error.validator == "pattern" else _expectation(error)
    )
