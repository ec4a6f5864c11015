"""Types of keys that a file of settings may hold, with their bounds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le, MinLen
from pydantic import BeforeValidator, Field, Strict, ValidatorFunctionWrapHandler
from pydantic_core import PydanticCustomError

from transporter.support.settings import LARGEST, Distinct, Names, Number

CLIPS = 10_000_000
"""Of a split, at most."""
SHORTEST = 0.001
"""Part of a clip that is read, in seconds."""
Pixels = Annotated[int, Strict(), Ge(16), Le(8192)]
Frames = Annotated[int, Strict(), Ge(1), Le(10_000)]
Sample = Annotated[int, Strict(), Ge(1), Le(CLIPS)]
"""Clips or captions out of all."""
Seeds = Annotated[int, Strict(), Ge(1), Le(100_000)]
"""Videos that are made of one concept."""
Windows = Annotated[int, Strict(), Ge(1), Le(1000)]
"""Parts of a clip."""
Parts = Annotated[int, Strict(), Ge(2), Le(1000)]
Strength = Annotated[Number, Ge(-1000), Le(1000)]
Precision = Literal["float32", "bfloat16", "float16"]
Aim = Literal["w", "w_dw"]
Aims = Annotated[tuple[Aim, ...], Distinct]


def _all_or_list(value: Any) -> Any:
    if value != "all" and not isinstance(value, list | tuple):
        raise PydanticCustomError("expected", "'all' or a list")
    return value


def _number_or_share(value: Any) -> Any:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if number and value > CLIPS:
        raise PydanticCustomError("expected", "at most {most} clips", {"most": CLIPS})
    whole = isinstance(value, int) and 1 <= value <= CLIPS
    if not number or not (whole or 0 < value < 1):
        raise PydanticCustomError("expected", "a number of clips, or a share between 0 and 1")
    return value


def _seconds(value: Any) -> Any:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if value != "all" and not (number and 0 < value < math.inf):
        raise PydanticCustomError("expected", "'all', or seconds, more than 0")
    if value != "all" and not SHORTEST <= value <= LARGEST:
        bounds = {"least": SHORTEST, "most": LARGEST}
        raise PydanticCustomError("expected", "from {least} to {most} seconds", bounds)
    return value


def as_given(value: Any, check: ValidatorFunctionWrapHandler) -> Any:
    """Keys that are laid over a section: checked as its own, without its defaults."""
    if isinstance(value, Mapping):
        check(value)
        return value
    return check(value)


def some_keys(value: Any, check: ValidatorFunctionWrapHandler) -> Any:
    """Like `as_given`, of one key at least."""
    if value == {}:
        raise PydanticCustomError("expected", "at least 1 entry")
    return as_given(value, check)


AllOr = BeforeValidator(_all_or_list)
Some = Annotated[Literal["all"] | Annotated[tuple[str, ...], Distinct], AllOr]
"""All, or some by name."""
SomeConcepts = Annotated[Literal["all"] | Names, AllOr]
Clips = Annotated[int | float, BeforeValidator(_number_or_share)]
"""Clips of a split: their number, or their share of all."""
Together = Annotated[tuple[str, ...], MinLen(2), Distinct]
"""Names of concepts that act in one clip."""
Duration = Annotated[Literal["all"] | float, BeforeValidator(_seconds)]
"""Seconds, or all there are."""
Options = dict[str, Any]
"""What an adapter of your own takes beside the keys here; the adapter checks it."""
Partial = Field(json_schema_extra={"partial": True})
"""Of keys that are laid over a section: what they leave out is as there."""
