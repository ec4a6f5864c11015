"""What families share: hooks on a generator's transformers that watch its passes and go again."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any
from weakref import WeakSet

import torch
from torch import nn

from transporter.generators.diffusers_generator import DiffusersGenerator
from transporter.saliency.settings import MapSettings
from transporter.saliency.tally import Tally
from transporter.saliency.words import Words
from transporter.support.errors import UserError

_WATCHED: WeakSet[nn.Module] = WeakSet()


class FamilyReader(ABC):
    """Reads the attention of one family's blocks; a subclass says where it is.

    Within `watching` every pass of the network is seen, and the rows whose text is not the
    generator's unconditional one are read. Nothing in the network is replaced, so its arithmetic
    is the same as without.
    """

    block_list: str
    """Name of the transformer's list of blocks that are read."""
    text_argument: int = 0
    """Which argument of `entrance` is the text."""

    def __init__(
        self,
        generator: DiffusersGenerator,
        words: Words,
        settings: Sequence[MapSettings],
        passes: int,
    ) -> None:
        self.generator, self.words = generator, words
        self.networks = [network for _, network in generator.transformers()]
        layers = len(getattr(self.networks[0], self.block_list))
        self.tallies = tuple(Tally(some, layers, passes) for some in settings)
        self.rows: torch.Tensor | None = None
        """Which rows of the batch are conditional in the present pass."""

    @abstractmethod
    def read(self, layer: int, block: nn.Module, h: torch.Tensor) -> None:
        """One layer of a conditional pass, given what its attention gives before the projection."""

    @abstractmethod
    def entrance(self, network: nn.Module) -> nn.Module:
        """The first part of a transformer that takes in the text."""

    @abstractmethod
    def attention(self, block: nn.Module) -> nn.Module:
        """The attention of a block that is read."""

    @abstractmethod
    def hooked(self, stack: ExitStack, layer: int, block: nn.Module) -> None:
        """Further hooks of a family."""

    @abstractmethod
    def begun(self, network: nn.Module, given: tuple[torch.Tensor, ...]) -> None:
        """What a family does when a conditional pass begins; `given` is what `entrance` takes."""

    @contextmanager
    def watching(self) -> Iterator[tuple[Tally, ...]]:
        """Watch every pass within.

        Raises:
            UserError: the generator is being watched already.
        """
        if any(network in _WATCHED for network in self.networks):
            raise UserError(
                "maps: expected a generator that nobody reads maps from, got one that is within"
                " another `located`; leave that first"
            )
        with ExitStack() as stack:
            for network in self.networks:
                _WATCHED.add(network)
                stack.callback(_WATCHED.discard, network)
                self._hook(stack, network)
            yield self.tallies

    def _hook(self, stack: ExitStack, network: nn.Module) -> None:
        def refuse(module: nn.Module, args: tuple, kwargs: dict[str, Any]) -> None:
            self._refuse_partial(kwargs["encoder_hidden_states"].shape[1])

        def enter(module: nn.Module, args: tuple[torch.Tensor, ...]) -> None:
            self._enter(network, args)

        handle = network.register_forward_pre_hook(refuse, with_kwargs=True)
        stack.callback(handle.remove)
        # where the text enters all is settled: hooks of the generator may change what came before
        stack.callback(self.entrance(network).register_forward_pre_hook(enter).remove)
        for layer, block in enumerate(getattr(network, self.block_list)):
            self.hooked(stack, layer, block)
            output = self.attention(block).to_out[0]
            watch = self._watch(layer, block)
            stack.callback(output.register_forward_pre_hook(watch).remove)

    def _refuse_partial(self, tokens: int) -> None:
        expected = self.generator.condition_shape[0]
        if tokens != expected:
            raise UserError(
                f"maps: expected {expected} tokens of text in a pass, got {tokens}; maps of partial"
                " frames are not read while they are made, but from the clip"
            )

    @torch.no_grad()
    def _enter(self, network: nn.Module, given: tuple[torch.Tensor, ...]) -> None:
        states = given[self.text_argument]
        other = self.generator.unconditional().embeddings.to(states)
        told = (states != other).flatten(1).any(1)
        # where nothing has values, every row counts as one with a caption
        self.rows = torch.arange(len(states)) if told.is_meta else told.nonzero()[:, 0]
        if len(self.rows):
            for tally in self.tallies:
                tally.passed += 1
            self.begun(network, given)

    def _watch(self, layer: int, block: nn.Module) -> Any:
        @torch.no_grad()
        def watch(module: nn.Module, args: tuple[torch.Tensor]) -> None:
            if self.rows is not None and len(self.rows):
                self.read(layer, block, args[0])

        return watch

    def wanted(self, layer: int) -> list[Tally]:
        """The tallies that a layer counts for in the present pass."""
        return [tally for tally in self.tallies if tally.counts(layer)]

    @property
    def frames(self) -> int:
        return self.generator.block_grid[0]

    def chosen(self, tensor: torch.Tensor) -> torch.Tensor:
        """The conditional rows; of a batch that has no other, itself."""
        return tensor if len(self.rows) == len(tensor) else tensor[self.rows]

    def per_head(self, attention: nn.Module, tensor: torch.Tensor) -> torch.Tensor:
        """`(B, N, H d)` to `(B, H, N, d)`."""
        return tensor.unflatten(-1, (attention.heads, -1)).transpose(1, 2)


def kept(stack: ExitStack, module: nn.Module, place: dict[str, torch.Tensor], name: str) -> None:
    """Keep what a module gives last under a name, until the stack closes."""

    def keep(_: nn.Module, args: tuple, output: torch.Tensor) -> None:
        place[name] = output.detach()

    stack.callback(module.register_forward_hook(keep).remove)
