"""Models that others have saved, in a folder or on the hub: weights as safetensors alone, none of
their code, and every tensor in its place or one line.

A folder may say which of its own Python files to run (`auto_map`, a pipeline of its own). The
libraries run none where they are told so; here they are told so each time.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, TypeVar

import torch
from huggingface_hub import snapshot_download
from torch import nn

from transporter.support.errors import UserError
from transporter.support.tensors import first_names, read_tensors

Loaded = TypeVar("Loaded")

SAFE: Mapping[str, Any] = {"trust_remote_code": False}
WEIGHTS: Mapping[str, Any] = {
    "use_safetensors": True,
    # asked for what is wrong with a tensor, the libraries say so for all of them
    "output_loading_info": True,
    "ignore_mismatched_sizes": True,
}
COMPLAINTS = {
    "missing_keys": "lacks",
    "mismatched_keys": "has in another shape",
    "unexpected_keys": "has beside those of the model",
}
WEIGHT_FILES = [
    "*.safetensors",
    "*.bin",
    "*.pt",
    "*.pth",
    "*.ckpt",
    "*.gguf",
    "*.onnx",
    "*.msgpack",
]
_HOLLOW: ContextVar[bool] = ContextVar("hollow", default=False)
KERNEL = "attn_implementation"
"""Key of a model's configuration that may name code on the hub."""


@contextmanager
def refused_in_one_line(path: str | os.PathLike[str], expected: str) -> Iterator[None]:
    """Whatever a library says about a folder or a name on the hub becomes a `UserError` of one
    line; `expected` says what should have been there.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # of every kind: tokenizers raise bare ones
        words = " ".join(str(error).split()) or type(error).__name__
        where = "" if Path(path).is_dir() else " (there is no such folder here)"
        raise UserError(f"{path}{where}: expected {expected}, got: {_cut(words)}") from error


def _cut(words: str, limit: int = 200) -> str:
    return words if len(words) <= limit else f"{words[:limit]}..."


def load_safely(
    load: Callable[..., Loaded], path: str | os.PathLike[str], expected: str, **options: Any
) -> Loaded:
    """What `load`, a `from_pretrained`, makes of a folder without running any code in it.

    Raises:
        UserError: the folder is none, or asks for code of its own.
    """
    with refused_in_one_line(path, expected):
        return load(path, **options, **SAFE)


def load_network(
    cls: type[Loaded], path: str | os.PathLike[str], expected: str, **options: Any
) -> Loaded:
    """A model of `transformers` or `diffusers` with all of its weights, from safetensors; or,
    within `hollow`, without any.

    Raises:
        UserError: the folder is none, has other weights than safetensors, or a tensor is missing,
            left over or of another shape: the model, how many, and the first three names.
    """
    _refuse_kernels(path)
    if is_hollow():
        return _hollow_network(cls, path, expected, **options)
    with refused_in_one_line(path, f"{expected}, its weights as safetensors"):
        network, found = cls.from_pretrained(path, **options, **SAFE, **WEIGHTS)
    for key, complaint in COMPLAINTS.items():
        if names := sorted(_name(one) for one in found[key]):
            raise UserError(
                f"{path}: expected all weights of a {cls.__name__} and no others; the folder"
                f" {complaint} {first_names(names)}"
            )
    if found.get("error_msgs"):
        raise UserError(
            f"{path}: expected the weights of a {cls.__name__}, got:"
            f" {_cut(' '.join(str(found['error_msgs'][0]).split()))}"
        )
    return network


@contextmanager
def hollow() -> Iterator[None]:
    """While open, `load_network` makes models by their configurations alone, on the device `meta`:
    shapes without values.
    """
    token = _HOLLOW.set(True)
    try:
        yield
    finally:
        _HOLLOW.reset(token)


def fetched(path: str, revision: str | None, expected: str) -> Path:
    """The folder of a model on the hub, without its weights.

    Raises:
        UserError: no such name, or the hub is out of reach.
    """
    options = {"revision": revision, "ignore_patterns": WEIGHT_FILES}
    with refused_in_one_line(path, expected):
        return Path(snapshot_download(path, **options))


def is_hollow() -> bool:
    """Whether models are made without weights now."""
    return _HOLLOW.get()


def _hollow_network(
    cls: type[Any], path: str | os.PathLike[str], expected: str, dtype: torch.dtype, **options: Any
) -> Any:
    with refused_in_one_line(path, f"the configuration of {expected}"), torch.device("meta"):
        if hasattr(cls, "from_config"):  # of diffusers
            network = cls.from_config(cls.load_config(path, **options))
        else:
            network = cls(cls.config_class.from_pretrained(path, **options, **SAFE))
        # without a library's word about layers that it would keep in single precision
        return nn.Module.to(network, dtype)


def _name(key: Any) -> str:
    """Of a tensor of another shape the libraries give the shapes too."""
    return key if isinstance(key, str) else str(key[0])


def _refuse_kernels(path: str | os.PathLike[str]) -> None:
    if (place := Path(path) / "config.json").is_file():
        for value in _values(read_json(place), KERNEL):
            if "/" in str(value):
                raise UserError(
                    f"{place}: {KERNEL}: expected a kind of attention, got {value!r}, which names"
                    " code on the hub; delete the key"
                )


def _values(config: Any, ending: str) -> Iterator[Any]:
    """Values of all keys with this ending, however deep."""
    if isinstance(config, list):
        for part in config:
            yield from _values(part, ending)
    if isinstance(config, dict):
        for key, value in config.items():
            if key.endswith(ending):
                yield from value.values() if isinstance(value, dict) else [value]
            yield from _values(value, ending)


def read_json(path: Path) -> dict[str, Any]:
    """A mapping in a file of JSON.

    Raises:
        UserError: no such file, or a file of something else.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: expected a file of JSON, got: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: expected JSON, got: {error}") from None
    if not isinstance(content, dict):
        raise UserError(f"{path}: expected a mapping, got {_cut(repr(content))}")
    return content


def load_weights(network: nn.Module, path: str | os.PathLike[str]) -> None:
    """Give a network the tensors of one safetensors file, every one of them.

    Raises:
        UserError: no such file, or a file of something else, or of another network.
    """
    tensors, _ = read_tensors(path, f"weights of {type(network).__name__}")
    fill(network, tensors, path)


def fill(
    network: nn.Module, tensors: Mapping[str, torch.Tensor], path: str | os.PathLike[str]
) -> None:
    """Give a network the tensors that `path` held, every one of them.

    Raises:
        UserError: they are those of another network: how many, and the first three names.
    """
    name = type(network).__name__
    own = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    given = {key: tuple(value.shape) for key, value in tensors.items()}
    _refuse(path, name, "lacks", own.keys() - given.keys())
    _refuse(path, name, "has beside those of the model", given.keys() - own.keys())
    shapes = [key for key in own if own[key] != given[key]]
    _refuse(path, name, "has in another shape", shapes)
    network.load_state_dict(tensors)


def _refuse(path: str | os.PathLike[str], name: str, complaint: str, keys: Iterable[str]) -> None:
    if names := sorted(keys):
        raise UserError(
            f"{path}: expected all weights of a {name} and no others; the file {complaint}"
            f" {first_names(names)}"
        )
