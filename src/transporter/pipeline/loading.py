"""From a model's settings in the configuration to its adapter."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Mapping
from typing import Any

import torch

from transporter.generators.base import Generator
from transporter.pipeline.adapters import GIVEN, import_adapter
from transporter.pipeline.devices import pick_device
from transporter.support.errors import UserError
from transporter.vlms.base import VLM
from transporter.vlms.pooled import PooledVLM

_ADAPTER_ONLY = ("adapter", "options", "steps", "guidance", "pooled_tokens")
"""Settings of the configuration that choose an adapter or belong to sampling, not to loading."""
RUNNING = "running"
"""A section that adapters are given where it asks for something."""
SCALES = ("lora_scale",)
"""Its keys that ask for nothing by themselves."""


def load_generator(settings: Mapping[str, Any], device: torch.device | None = None) -> Generator:
    """Load the generator that `settings` (one entry of `generators` in the configuration)
    describe.

    Raises:
        UserError: there is no such adapter, or a setting does not suit it.
    """
    return _loaded("generators", Generator, settings, device=device or pick_device())


def load_vlm(
    settings: Mapping[str, Any],
    video_shape: tuple[int, int, int, int],
    device: torch.device | None = None,
    fps: float | None = None,
) -> VLM:
    """Load the VLM that `settings` (one entry of `vlms`) describe, for videos of `video_shape`
    (T, C, H, W).

    An adapter that tells its model the time of each frame takes the videos' rate, `fps`, unless the
    settings have one.

    With `pooled_tokens` it is seen through at most so many (`vlms.pooled`).

    Raises:
        UserError: there is no such adapter, or a setting does not suit it.
    """
    if settings.get("fps") is None and fps is not None and _takes_rate(settings):
        settings = {**settings, "fps": fps}
    given = {"video_shape": tuple(video_shape), "device": device or pick_device()}
    made: VLM = _loaded("vlms", VLM, settings, **given)
    most = settings.get("pooled_tokens")
    return made if most is None or most >= made.tokens_shape[0] else PooledVLM(made, most)


def stored_precision(vlm: Mapping[str, Any], stored: str | None) -> torch.dtype:
    """In which a VLM's tokens go to disk, by its settings and the key `memory.stored`."""
    return getattr(torch, stored or vlm["dtype"])


def _takes_rate(settings: Mapping[str, Any]) -> bool:
    adapter = import_adapter("vlms", str(settings.get("adapter")))
    return "fps" in _parameters(adapter)[0]


def _loaded(kind: str, base: type, settings: Mapping[str, Any], **given: Any) -> Any:
    name = str(settings.get("adapter"))
    adapter = import_adapter(kind, name)
    if not issubclass(adapter, base):
        raise UserError(
            f"key adapter: expected a class that implements {base.__module__}.{base.__name__}, got"
            f" {name!r}, which does not"
        )
    arguments = {**_arguments(name, adapter, settings), **given}
    try:
        inspect.signature(adapter).bind(**arguments)
    except TypeError as error:
        raise UserError(f"key options: the adapter {name} got {error}") from None
    return adapter(**arguments)


def _arguments(name: str, adapter: type, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings as the adapter's constructor takes them; those that are null keep its own
    defaults.
    """
    options = settings.get("options") or {}
    arguments = {
        key: value
        for key, value in settings.items()
        if key not in (*_ADAPTER_ONLY, RUNNING) and value is not None
    }
    running = settings.get(RUNNING) or {}
    if any(value is not None for key, value in running.items() if key not in SCALES):
        arguments[RUNNING] = running
    if taken := sorted(options.keys() & {*settings, *GIVEN}):
        raise UserError(
            f"key options.{taken[0]}: expected an argument of the adapter {name} that has no key of"
            f" its own beside options, got {taken[0]}"
        )
    known, others = _parameters(adapter)
    for prefix, keys in (("", arguments), ("options.", options)):
        if unknown := sorted(key for key in keys if key not in known and not others):
            near = difflib.get_close_matches(unknown[0], known, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise UserError(
                f"key {prefix}{unknown[0]}: the adapter {name} has no such setting{hint}"
            )
    for key in ("dtype", "vae_dtype"):
        if key in arguments:
            arguments[key] = getattr(torch, arguments[key])
    return {**arguments, **options}


def _parameters(adapter: type) -> tuple[set[str], bool]:
    """Names that a constructor takes, also those that it hands on to its bases, and whether it
    takes any other.
    """
    names: set[str] = set()
    for part in adapter.__mro__[:-1]:
        if "__init__" in vars(part):
            parameters = inspect.signature(part.__init__).parameters.values()
            kinds = {parameter.name: parameter.kind for parameter in parameters}
            names |= kinds.keys()
            if inspect.Parameter.VAR_KEYWORD not in kinds.values():
                return names, False
    return names, True
