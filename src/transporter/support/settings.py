"""Settings as frozen dataclasses: the types, bounds, defaults and descriptions of their fields are
the one place that says what a key may hold.

A description is the text under a field, or that of the class where the field holds a section. It is
read from the source, so a change of words changes no code.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, is_dataclass
from functools import cache
from typing import Annotated, Any, TypeVar, dataclass_transform, get_type_hints

from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen
from pydantic import AfterValidator, ConfigDict, Field, Strict, TypeAdapter, ValidationError
from pydantic import with_config as with_pydantic
from pydantic_core import PydanticCustomError

from transporter.support.errors import UserError
from transporter.support.names import NAME
from transporter.support.refusals import dotted, explained, merged

Made = TypeVar("Made")
Items = TypeVar("Items", bound=Sequence[Any])

RULES = ConfigDict(extra="forbid", use_attribute_docstrings=True)


@dataclass_transform(frozen_default=True)
def section(cls: type[Made]) -> type[Made]:
    """A frozen dataclass whose fields are keys of the settings; others are refused."""
    for base in cls.__bases__:
        if is_dataclass(base):
            _describe(cls, base, {})
    return with_pydantic(RULES)(dataclass(frozen=True)(cls))


def _describe(cls: type[Any], base: type[Any], defaults: Mapping[str, Any]) -> None:
    """Give `cls` the fields of `base` with their descriptions, which are read from the source of
    one class alone.
    """
    hints, about = get_type_hints(base, include_extras=True), schema(base)["properties"]
    own = inspect.get_annotations(cls)
    inherited = {
        name: Annotated[hints[name], Field(description=part.get("description"))]
        for name, part in about.items()
        if name not in own and (name in defaults or issubclass(cls, base))
    }
    cls.__annotations__ = {**own, **inherited}
    for name, default in defaults.items():
        setattr(cls, name, default)


def _distinct(items: Items) -> Items:
    if len({repr(item) for item in items}) < len(items):
        raise PydanticCustomError("expected", "no entry twice")
    return items


def _rising(levels: tuple[float, float]) -> tuple[float, float]:
    if levels[0] > levels[1]:
        raise PydanticCustomError("expected", "lowest and highest, in this order")
    return levels


def _seen(text: str) -> str:
    if not text.isprintable():
        raise PydanticCustomError("expected", "text on one line without control characters")
    if not text.strip():
        raise PydanticCustomError("expected", "some text")
    return text


def _place(text: str) -> str:
    if set(text) & set("{}") or text != text.strip():
        raise PydanticCustomError("expected", "a path without braces, or spaces at its ends")
    if max(len(part.encode()) for part in text.split("/")) > LONGEST:
        raise PydanticCustomError("expected", "a path of shorter names")
    return text


def _inside(text: str) -> str:
    if text.startswith(("/", "~")) or ".." in text.split("/"):
        raise PydanticCustomError("expected", "a path that leads down from the model's folder")
    return text


def _revision(text: str) -> str:
    if ".." in text or text.startswith(("-", "/", "~")) or " " in text:
        raise PydanticCustomError("expected", "a branch, tag or commit")
    return text


def _normal(number: float) -> float:
    if 0 < number < SMALLEST:
        raise PydanticCustomError("expected", "at least {least}", {"least": SMALLEST})
    return number


LARGEST = 10**6
"""Of numbers that are no counts: what is larger is a slip."""
SMALLEST = 1e-30
"""Of numbers above 0; single precision takes less for 0, sooner or later."""
MOST = 10**9
"""Of what is counted: more can be neither made nor waited for."""
LONGEST = 200
"""Bytes of the name of a file or folder; file systems take 255, and some names are added to."""
Finite = Field(allow_inf_nan=False, ge=-LARGEST, le=LARGEST)
Whole = Annotated[int, Strict(), Ge(0), Le(MOST)]
"""0, 1, 2, ..."""
Count = Annotated[int, Strict(), Ge(1), Le(MOST)]
Size = Annotated[int, Strict(), Ge(1), Le(2**16)]
"""Of a part of a network, or of a batch: channels, hidden units, clips. Models of 14 billion
weights have a width of 5120, and hidden units of 13824.
"""
Depth = Annotated[int, Strict(), Ge(1), Le(1000)]
"""Layers, or heads of one."""
Times = Annotated[int, Strict(), Ge(1), Le(10_000)]
"""How often something is done, or taken, in one step."""
Seed = Annotated[int, Strict(), Ge(0), Le(2**32 - 1)]
Number = Annotated[float, Strict(), Finite]
Positive = Annotated[Number, Gt(0), AfterValidator(_normal)]
Weight = Annotated[Number, Ge(0)]
"""At least 0, which turns it off."""
Seconds = Annotated[Number, Ge(0)]
Share = Annotated[Number, Ge(0), Le(1)]
Dropout = Annotated[Number, Ge(0), Lt(1)]
Level = Annotated[Number, Gt(0), Le(1)]
Levels = Annotated[tuple[Level, Level], AfterValidator(_rising)]
"""Lowest and highest noise level."""
Rate = Annotated[Positive, Le(1000)]
"""Frames per second."""
Guidance = Annotated[Number, Ge(1), Le(1000)]
"""Scale of classifier-free guidance."""
Text = Annotated[str, MinLen(1), MaxLen(1000), AfterValidator(_seen)]
"""On one line."""
Place = Annotated[Text, AfterValidator(_place)]
"""A file, a folder, or a model's name on the hub. Braces would be wildcards of rules."""
Inside = Annotated[Place, AfterValidator(_inside)]
"""A file or folder within a model's folder."""
Revision = Annotated[Text, AfterValidator(_revision)]
"""Of a model on the hub."""
Cell = Annotated[int, Strict(), Ge(1), Le(1024)]
Cells = tuple[Cell, Cell, Cell]
"""Along time, height and width."""
Distinct = AfterValidator(_distinct)
"""Of a list: no entry twice."""
Names = Annotated[tuple[str, ...], MinLen(1), Distinct]
Name = Annotated[str, Field(pattern=f"^{NAME}$"), MaxLen(64)]
"""Of a generator, VLM or ablation."""


@cache
def adapter(cls: type[Any]) -> TypeAdapter[Any]:
    """What reads the settings `cls`."""
    return TypeAdapter(cls)


@cache
def schema(cls: type[Any]) -> dict[str, Any]:
    """The JSON schema of the settings `cls`, with every reference resolved."""
    made = adapter(cls).json_schema()
    return merged(made, made.pop("$defs", {}))


def plain(settings: Any) -> dict[str, Any]:
    """Settings as values that JSON and YAML know."""
    return json.loads(json.dumps(asdict(settings)))


def read_settings(cls: type[Made], mapping: Mapping[str, Any], where: str) -> Made:
    """The frozen dataclass `cls` from nested values; keys left out keep their defaults. `where`
    begins the names in errors.

    Raises:
        UserError: an unknown key, or a value of another type or out of bounds; the message names
            the key.
    """
    try:
        return adapter(cls).validate_python(mapping)
    except ValidationError as error:
        path, complaint = explained(error, mapping, schema(cls))
        raise UserError(f"{dotted([where, *path])}: {complaint}") from None


@cache
def _fields(cls: type[Any]) -> dict[str, TypeAdapter[Any]]:
    hints = get_type_hints(cls, include_extras=True)
    return {field.name: TypeAdapter(hints[field.name]) for field in fields(cls)}


def check_fields(settings: Any, where: str) -> None:
    """Check settings that were made by hand, as `read_settings` checks those of a file.

    Raises:
        UserError: a value of another type or out of bounds; the message names the key.
    """
    for name, field in _fields(type(settings)).items():
        value = getattr(settings, name)
        try:
            field.validate_python(value)
        except ValidationError as error:
            path, complaint = explained(error, value, field.json_schema())
            raise UserError(f"{dotted([where, name, *path])}: {complaint}") from None


def sharing(other: type[Any], **defaults: Any) -> Callable[[type[Made]], type[Made]]:
    """A section that has further keys: those fields of `other` that are given a default here, of
    the same type, bounds and description.
    """

    def decorate(cls: type[Made]) -> type[Made]:
        _describe(cls, other, defaults)
        return section(cls)

    return decorate
