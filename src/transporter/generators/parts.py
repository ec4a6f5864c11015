"""The networks of a pipeline, each loaded when it is first used."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

import torch
from diffusers import DiffusionPipeline
from torch import nn

from transporter.networks.pretrained import is_hollow

Prepare = Callable[[str, nn.Module], None]
"""What is done to a network, by its name, before its first use."""
Around = Callable[[str, nn.Module], AbstractContextManager[None]]
"""What a network, by its name, computes in for a while."""


class Parts:
    """The networks of `pipeline` by name. Those that are not in use are None there, which the
    pipeline takes for left out; their configurations are here.

    Where models are made without weights, all are there at once.

    Attributes:
        configs: each network's configuration.
    """

    def __init__(
        self,
        pipeline: DiffusionPipeline,
        loads: Mapping[str, Callable[[], nn.Module]],
        prepare: Prepare,
    ) -> None:
        self._pipeline, self._loads, self._prepare = pipeline, dict(loads), prepare
        self._hollow = is_hollow()
        self._entered: Callable[[str, nn.Module], None] | None = None
        self.configs: dict[str, Any] = {}
        for name in loads:
            network = getattr(pipeline, name)
            self.configs[name] = network.config
            if self._hollow:
                prepare(name, network)
            else:
                pipeline.register_modules(**{name: None})

    def __getitem__(self, name: str) -> nn.Module:
        """A network, loaded now if it is not there.

        Raises:
            UserError: its weights are no safetensors, or not all there.
        """
        if (network := getattr(self._pipeline, name)) is not None:
            return network
        # a load that draws numbers must not change what a job draws after it
        with torch.random.fork_rng(devices=[]):
            network = self._loads[name]()
        self._prepare(name, network)
        self._pipeline.register_modules(**{name: network})
        if self._entered is not None:
            self._entered(name, network)
        return network

    def among(self, names: Sequence[str]) -> list[str]:
        """Those of `names` that the pipeline has, in their order."""
        return [name for name in names if name in self._loads or self._there(name)]

    def present(self, names: Sequence[str]) -> list[str]:
        """Those of `names` that are loaded."""
        return [name for name in names if self._there(name)]

    def _there(self, name: str) -> bool:
        return getattr(self._pipeline, name, None) is not None

    def free(self, names: Sequence[str]) -> None:
        """Let go of networks; they are loaded again when they are used again. Those without weights
        stay.
        """
        for name in [] if self._hollow else self.present(names):
            self._pipeline.register_modules(**{name: None})
        if torch.cuda.is_initialized():
            torch.cuda.empty_cache()

    @contextmanager
    def within(self, around: Around) -> Iterator[None]:
        """While open, all networks compute in `around`, those too that are loaded meanwhile."""
        before = self._entered
        with ExitStack() as stack:

            def enter(name: str, network: nn.Module) -> None:
                stack.enter_context(around(name, network))

            for name in self.present(tuple(self._loads)):
                enter(name, self[name])
            self._entered = enter
            try:
                yield
            finally:
                self._entered = before
