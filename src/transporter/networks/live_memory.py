"""Bytes that tensors hold while a computation runs, counted on real tensors or on those of the
device `meta`, which have shapes but no values.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import prod
from typing import Any

import torch
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

CPU, META = torch.device("cpu"), torch.device("meta")
ATEN = torch.ops.aten
NAMES = ("query", "key", "value")
MASK = 2**16
"""Places of a mask, at most."""
BY_VALUE = (ATEN.index.Tensor, ATEN.index_put.default, ATEN.index_put_.default)
"""Operations that need the values of their indices, which are on the CPU."""


class LiveMemory(TorchDispatchMode):
    """While open, counts the storages that operations make, until nothing refers to them any more.

    Weights and inputs that were there before do not count, nor does what kernels take for
    themselves. On `meta`, whole numbers stay on the CPU with their values, for shapes hang on them.

    Attributes:
        live: bytes that are there now.
        peak: the most that were there at once.
    """

    def __init__(self) -> None:
        super().__init__()
        self.live = self.peak = 0
        self._known: dict[int, weakref.ref[Any]] = {}

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if func is ATEN._to_copy.default and _stays(args[0], kwargs or {}):
            return ATEN.alias.default(args[0])
        kwargs = kwargs or {}
        given = [*_tensors(args), *_tensors(kwargs)]
        args, kwargs, moved = _on_one_device(func, args, kwargs, given)
        for tensor in [*_tensors(args), *_tensors(kwargs)] if moved else given:
            self._note(tensor.untyped_storage(), 0)
        result = func(*args, **kwargs)
        for tensor in _tensors(result):
            storage = tensor.untyped_storage()
            self._note(storage, storage.nbytes())
        return result

    def _note(self, storage: torch.UntypedStorage, size: int) -> None:
        """Count a storage from the first time that it is seen to its end."""
        key = storage._cdata
        if key in self._known:
            return

        def gone(_: Any) -> None:
            del self._known[key]
            self.live -= size

        self._known[key] = weakref.ref(storage, gone)
        self.live += size
        self.peak = max(self.peak, self.live)


def _tensors(tree: Any) -> Iterator[torch.Tensor]:
    """Those among an operation's arguments, or in what it gives."""
    if isinstance(tree, torch.Tensor):
        yield tree
    elif isinstance(tree, list | tuple):
        for part in tree:
            yield from _tensors(part)
    elif isinstance(tree, dict):
        for part in tree.values():
            yield from _tensors(part)


def _on_one_device(
    func: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    given: Sequence[torch.Tensor],
) -> tuple[Sequence[Any], Mapping[str, Any], bool]:
    """Arguments of an operation, of which `given` are tensors, brought to `meta` if some are there
    already, and whether any was; what is made of whole numbers is made on the CPU, and what is on
    `meta` never leaves it.
    """
    if func is ATEN._to_copy.default and kwargs.get("device"):
        stays = _whole(args[0]) or _becomes_whole(args[0], kwargs)
        kwargs = {**kwargs, "device": CPU if stays else kwargs["device"]}
        return args, {**kwargs, "device": META} if args[0].is_meta else kwargs, False
    if not given and kwargs.get("device") == META and _counts(func, args, kwargs):
        return args, {**kwargs, "device": CPU}, False
    metas = [tensor.is_meta for tensor in given]
    if func in BY_VALUE or not any(metas) or all(metas):
        return args, kwargs, False
    return *tree_map(_to_meta, (args, kwargs)), True


def _stays(tensor: torch.Tensor, kwargs: Mapping[str, Any]) -> bool:
    """Whether a copy is one to another device alone, which `meta` stands for."""
    same = kwargs.get("dtype") in (None, tensor.dtype) and kwargs.get("memory_format") is None
    return tensor.is_meta and same and kwargs.get("device") not in (None, META)


def _whole(tensor: torch.Tensor) -> bool:
    return not (tensor.is_meta or tensor.is_floating_point() or tensor.is_complex())


def _becomes_whole(tensor: torch.Tensor, kwargs: Mapping[str, Any]) -> bool:
    """Whether a copy of values that are there is one of whole numbers, as of a mask."""
    dtype = kwargs.get("dtype") or tensor.dtype
    return not (tensor.is_meta or dtype.is_floating_point or dtype.is_complex)


def _counts(func: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
    """Whether what is made has values that shapes hang on: whole numbers, or the ones of a mask."""
    if func.overloadpacket is ATEN.ones and prod(args[0]) <= MASK:
        return True
    dtype = kwargs.get("dtype")
    if dtype is None:
        return func.overloadpacket is ATEN.arange
    return not (dtype.is_floating_point or dtype.is_complex)


def _to_meta(value: Any) -> Any:
    return value.to(META) if isinstance(value, torch.Tensor) and not value.is_meta else value


@contextmanager
def fused_attention() -> Iterator[None]:
    """While open, attention on `meta` holds what a fused kernel does: no score of two tokens.

    A choice of kernels by `torch.nn.attention.sdpa_kernel` holds as ever.
    """
    plain = F.scaled_dot_product_attention

    def attention(*args: Any, **kwargs: Any) -> torch.Tensor:
        given = [*args[:3], *(kwargs[name] for name in NAMES[len(args) :])]
        if given[0].is_meta and torch.backends.cuda.flash_sdp_enabled():
            return _Attention.apply(*given)
        return plain(*args, **kwargs)

    F.scaled_dot_product_attention = attention
    try:
        yield
    finally:
        F.scaled_dot_product_attention = plain


class _Attention(torch.autograd.Function):
    """Keeps what a fused kernel keeps: its inputs, what it gives, and a number for each query."""

    @staticmethod
    def forward(
        context: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor
    ) -> torch.Tensor:
        given = query.new_empty(*query.shape[:-1], value.shape[-1])
        sums = query.new_empty(query.shape[:-1], dtype=torch.float32)
        context.save_for_backward(query, key, value, given, sums)
        return given

    @staticmethod
    def backward(context: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return tuple(map(torch.empty_like, context.saved_tensors[:3]))
