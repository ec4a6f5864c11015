"""Hidden layers of any network, read through forward hooks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from transporter.support.errors import UserError

NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


@dataclass(frozen=True)
class Layer:
    """What one module takes in (`inputs`) or gives out; `channels` is the axis of its channels."""

    name: str
    module: nn.Module
    channels: int = -1
    inputs: bool = False


@dataclass(frozen=True)
class Features:
    """What a layer gave in one pass, channels last, one tensor per call of the module."""

    layer: Layer
    calls: tuple[torch.Tensor, ...]

    def positions(self) -> torch.Tensor:
        """All positions of all calls: `(P, C)`, at least in single precision."""
        joined = torch.cat([call.flatten(0, -2) for call in self.calls])
        return joined.to(torch.promote_types(joined.dtype, torch.float32))

    def mean(self) -> torch.Tensor:
        """mu(z_l), the mean embedding vector `(C,)`."""
        return self.positions().mean(0)

    def moments(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and variance of every channel over all positions, `(C,)` each."""
        variance, mean = torch.var_mean(self.positions(), 0, correction=0)
        return mean, variance


def blocks(network: nn.Module, channels: int = -1) -> tuple[Layer, ...]:
    """Outputs of a network's blocks, by default a transformer's: the members of all module lists
    that lie in no other list.
    """
    lists = {
        name: module
        for name, module in network.named_modules()
        if isinstance(module, nn.ModuleList) and len(module) > 1
    }
    outer = [name for name in lists if not any(name.startswith(f"{other}.") for other in lists)]
    return tuple(
        Layer(f"{name}.{index}", block, channels)
        for name in outer
        for index, block in enumerate(lists[name])
    )


def batch_norms(network: nn.Module) -> tuple[Layer, ...]:
    """Inputs of all batch normalisations, whose statistics these keep."""
    return tuple(
        Layer(name, module, channels=1, inputs=True)
        for name, module in network.named_modules()
        if isinstance(module, NORMS)
    )


def named(network: nn.Module, names: Sequence[str], channels: int = 1) -> tuple[Layer, ...]:
    """Outputs of the modules called `names`; by default convolutions, whose channels are axis 1.

    Raises:
        UserError: the network has no module of that name.
    """
    known = dict(network.named_modules())
    if unknown := [name for name in names if name not in known]:
        raise UserError(
            f"layers: expected names of modules of {type(network).__name__}, got {unknown[0]!r}"
        )
    return tuple(Layer(name, known[name], channels) for name in names)


@contextmanager
def recorded(layers: Sequence[Layer]) -> Iterator[dict[str, Features]]:
    """Record `layers` in every pass within; the mapping fills in order of execution and lacks
    layers that are never called.
    """
    features: dict[str, Features] = {}

    def keep(layer: Layer, tensor: Any) -> None:
        tensor = tensor[0] if isinstance(tensor, tuple) else tensor
        earlier = features.get(layer.name, Features(layer, ()))
        features[layer.name] = replace(
            earlier, calls=(*earlier.calls, tensor.movedim(layer.channels, -1))
        )

    with ExitStack() as hooks:
        for layer in layers:
            handle = layer.module.register_forward_hook(
                lambda _, given, made, layer=layer: keep(layer, given[0] if layer.inputs else made)
            )
            hooks.callback(handle.remove)
        yield features
