"""Pipelines of `diffusers` from a folder or the hub: the networks one by one when they are first
used, so that no tensor is missing and no code of the folder runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import diffusers
import torch
import transformers
from diffusers import DiffusionPipeline
from torch import nn

from transporter.networks.pretrained import (
    fetched,
    hollow,
    is_hollow,
    load_network,
    load_safely,
    read_json,
    refused_in_one_line,
)
from transporter.support.errors import UserError

Pipeline = TypeVar("Pipeline", bound=DiffusionPipeline)
Load = Callable[[], nn.Module]

INDEX = "model_index.json"
LIBRARIES = {"diffusers": diffusers, "transformers": transformers}
"""Where the parts of a pipeline may come from."""
BY_CONFIGURATION = "AutoModel", "AutoTokenizer", "AutoProcessor", "AutoConfig"
"""Beginnings of classes that choose another by what a folder says, its own code among it."""


def load_pipeline(
    cls: type[Pipeline],
    path: str,
    dtype: torch.dtype,
    revision: str | None,
    others: Mapping[str, torch.dtype],
    options: Callable[[str, type[nn.Module]], Mapping[str, Any]] = lambda name, kind: {},
) -> tuple[Pipeline, dict[str, Load]]:
    """A pipeline whose networks have shapes but no weights, and what loads each, by its name: in
    `dtype`, but for those that `others` name. `options` gives further arguments for the weights of
    a network, by its name and class.

    Raises:
        UserError: no such folder or name on the hub, a pipeline of another class, code of the
            folder's own, a configuration that makes no network, or no noise levels. Loading raises
            it for weights that are no safetensors, or a tensor that is missing, left over or of
            another shape.
    """
    expected = f"a {cls.__name__} of diffusers"
    folder = Path(path)
    if not folder.is_dir() and is_hollow():
        folder = fetched(path, revision, expected)
    if not folder.is_dir():
        options = {"revision": revision, "use_safetensors": True}
        folder = Path(load_safely(cls.download, path, expected, **options))
    parts = dict(_parts(folder, cls.__name__))
    loads = {
        name: partial(_load_part, kind, folder / name, others.get(name, dtype), name, options)
        for name, kind in parts.items()
        if issubclass(kind, nn.Module)
    }
    with hollow():
        networks = {name: load() for name, load in loads.items()}
    pipeline = load_safely(
        cls.from_pretrained, folder, expected, dtype=dtype, use_safetensors=True, **networks
    )
    with refused_in_one_line(folder / "scheduler", "values that make noise levels"):
        _try_levels(pipeline.scheduler)
    return pipeline, loads


def _try_levels(scheduler: Any) -> None:
    """Make levels as sampling would, by a scheduler of its own; those that also depend on a clip's
    size are left.
    """
    own = type(scheduler).from_config(scheduler.config)
    if own.config.get("use_dynamic_shifting"):
        return
    own.set_timesteps(2)
    levels = getattr(own, "sigmas", own.timesteps)
    if not torch.isfinite(torch.as_tensor(levels)).all():
        raise ValueError(f"levels {levels.tolist()}")


def shifted(scheduler: Any, shift: float, path: str) -> Any:
    """A scheduler of flow matching with another shift of its noise levels.

    Raises:
        UserError: it has none.
    """
    key = next((key for key in ("flow_shift", "shift") if key in scheduler.config), None)
    if key is None or scheduler.config.get("use_dynamic_shifting"):
        raise UserError(
            f"{path}: flow_shift: expected a scheduler of flow matching with one shift, got a"
            f" {type(scheduler).__name__}; leave it null"
        )
    return type(scheduler).from_config(scheduler.config, **{key: shift})


def _load_part(
    kind: type[Any],
    folder: Path,
    dtype: torch.dtype,
    name: str,
    options: Callable[[str, type[nn.Module]], Mapping[str, Any]],
) -> nn.Module:
    further = {} if is_hollow() else options(name, kind)
    return load_network(kind, folder, f"a {kind.__name__}", dtype=dtype, **further)


def _parts(folder: Path, wanted: str) -> Iterator[tuple[str, type[Any]]]:
    """Names and classes of a pipeline's parts; those of configuration and those left out are
    none.
    """
    index = read_json(folder / INDEX)
    if index.get("_class_name") != wanted:
        raise UserError(
            f"{folder / INDEX}: expected a {wanted}, got a {index.get('_class_name')!r}; choose an"
            " adapter that drives it, or a text-to-video model of this family"
        )
    for name, value in index.items():
        if isinstance(value, list) and len(value) == 2 and isinstance(value[0], str):
            yield name, _class(folder / INDEX, name, *value)


def _class(where: Path, name: str, library: Any, kind: Any) -> type[Any]:
    found = getattr(LIBRARIES.get(str(library)), str(kind), None)
    if not isinstance(found, type) or str(kind).startswith(BY_CONFIGURATION):
        raise UserError(
            f"{where}: {name}: expected a class of {' or '.join(LIBRARIES)}, got {library}.{kind};"
            " code of a folder's own is not run"
        )
    if not (where.parent / name).is_dir():
        raise UserError(f"{where.parent}: expected a folder {name} with the {kind}, found none")
    return found
