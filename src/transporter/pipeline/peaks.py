"""The most memory that one generator and one VLM take in each rule, counted on models without
weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from transporter.clips.contrast import Concept
from transporter.clips.stored import RESIDENT
from transporter.concepts.objectives import OBJECTIVES, Batch
from transporter.concepts.settings import BankSettings
from transporter.coupling.network import Coupling
from transporter.coupling.reader import Reader
from transporter.coupling.settings import CouplingSettings
from transporter.coupling.training import coupling_losses
from transporter.generators.base import CAPTIONS_AT_ONCE, Generator, Sampling
from transporter.generators.condition import Condition
from transporter.generators.diffusers_generator import DiffusersGenerator
from transporter.networks.live_memory import META, LiveMemory, fused_attention
from transporter.networks.pretrained import hollow
from transporter.pipeline.loading import load_generator, load_vlm
from transporter.support.errors import UserError
from transporter.vlms.base import VLM
from transporter.vlms.transformers_vlm import TransformersVLM

EMBEDDED = 16
"""Clips that jobs embed, sample and read at once."""
READ = 32
"""Clips that the report asks the VLM about at once."""
MEASURED = 64
"""Clips at most whose error is measured at once."""
Act = Callable[[int], Any]
"""What a rule does with so many clips at once."""


@dataclass(frozen=True)
class Rule:
    """What a rule holds on its device."""

    name: str
    weights: int
    """Bytes of the models, and of what is trained."""
    clips: int
    """At once."""
    first: int
    """Bytes beside the weights, with one clip at once."""
    further: int
    """Bytes that each further clip adds."""

    @property
    def peak(self) -> int:
        """The most bytes at once."""
        return self.weights + self.first + (self.clips - 1) * self.further

    def fitting(self, memory: int) -> int:
        """How many clips at once are within `memory` bytes; 0 where not even one is."""
        room = memory - self.weights - self.first
        return 0 if room < 0 else min(self.clips, 1 + room // max(self.further, 1))


def weight_bytes(*networks: nn.Module) -> int:
    """Bytes of all weights and buffers."""
    tensors = (t for network in networks for t in (*network.parameters(), *network.buffers()))
    return sum(tensor.nbytes for tensor in tensors)


class Pair:
    """One generator and one VLM without weights, and the rules that they work in.

    Args:
        generator, vlm: their settings.
        coupling: the settings of Phi.
        gpu: whether the device is a GPU, which decodes clip by clip, with fused attention; else a
            CPU.

    Raises:
        UserError: a folder lacks a configuration, a name on the hub is out of reach, or an adapter
            is made of another library.
    """

    def __init__(
        self,
        generator: Mapping[str, Any],
        vlm: Mapping[str, Any],
        coupling: CouplingSettings,
        gpu: bool,
    ) -> None:
        cpu = torch.device("cpu")
        with hollow():
            self.generator: Generator = load_generator(generator, cpu)
            self.vlm: VLM = load_vlm(vlm, self.generator.video_shape, cpu, self.generator.fps)
        for model, kind in ((self.generator, DiffusersGenerator), (self.vlm, TransformersVLM)):
            if not isinstance(model, kind):
                raise UserError(
                    f"adapter {type(model).__name__}: expected one made of a {kind.__name__}, whose"
                    " memory can be counted, got another"
                )
        if gpu:
            self.generator.as_on_gpu()
        self.settings = coupling
        shapes = (self.generator.latent_shape, self.generator.condition_shape)
        with META:
            made = Coupling(*shapes, self.vlm.tokens_shape, coupling)
        self.coupling = made.eval().requires_grad_(False)
        # prompts and grids are made once, about a clip that has values
        _peak(lambda clips: self.vlm.logits(self._tokens(clips), ASKED.question), 1)

    @property
    def parts(self) -> dict[str, int]:
        """Bytes of each network, by name."""
        networks = dict(self.generator.networks())
        networks |= {"vlm": self.vlm.model, "coupling": self.coupling}
        return {name: weight_bytes(network) for name, network in networks.items()}

    @property
    def token_bytes(self) -> int:
        """Of one clip's visual tokens as they are stored."""
        count, width = self.vlm.tokens_shape
        return 4 * count * width

    @property
    def condition_bytes(self) -> int:
        """Of one caption's condition."""
        length, width = self.generator.condition_shape
        return 4 * length * width

    @property
    def latent_bytes(self) -> int:
        """Of one clip's latent as it is stored."""
        return 4 * torch.Size(self.generator.latent_shape).numel()

    def rules(self, bank: BankSettings) -> Iterator[Rule]:
        """All of them, `concept_bank` by the objective of the settings."""
        yield from self.light_rules()
        yield self.bank(bank)
        parts = self.parts
        every = sum(parts.values())
        generator = every - parts["vlm"] - parts["coupling"]
        yield self._rule("embed_reencoded", every - parts["coupling"], EMBEDDED, self._reencode)
        asked = min(READ, max(1, RESIDENT // self.token_bytes))
        yield self._rule("coupling_report", every, asked, self._report)
        yield self._rule("generation", generator, Sampling(1, 1).batch, self._sample)
        yield self._rule("concept_readings", every, EMBEDDED, self._read)

    def light_rules(self) -> Iterator[Rule]:
        """Those that are quick to count."""
        parts = self.parts
        vlm, coupling = parts.pop("vlm"), parts.pop("coupling")
        generator = sum(parts.values())
        yield self._rule("captions", generator, CAPTIONS_AT_ONCE, self._captions)
        yield self._rule("embed_generator", generator, EMBEDDED, self._encode)
        yield self._rule("embed_vlm", vlm, EMBEDDED, self._embed)
        # beside the weights their gradients, and two moments of Adam
        trained = generator + 4 * coupling
        yield self._rule("coupling", trained, self.settings.batch, self._train)

    def bank(self, settings: BankSettings) -> Rule:
        """`concept_bank` by other settings."""

        def act(clips: int) -> None:
            self._fit(clips, settings)

        at_once = min(settings.batch, settings.at_once or settings.batch)
        rule = self._rule("concept_bank", sum(self.parts.values()), at_once, act)
        # clips that wait, by their latents, velocities and conditions
        waiting = (settings.batch - at_once) * (6 * self.latent_bytes + 4 * self.condition_bytes)
        name = f"concept_bank, {settings.objective}"
        return replace(rule, name=name, weights=rule.weights + waiting)

    def _rule(self, name: str, weights: int, clips: int, act: Act) -> Rule:
        first = _peak(act, 1)
        further = _peak(act, 2) - first if clips > 1 else 0
        return Rule(name, weights, clips, first, further)

    # what the rules do, with clips of no values

    def _video(self, clips: int) -> torch.Tensor:
        return torch.empty(clips, *self.generator.video_shape, device=META)

    def _latent(self, clips: int) -> torch.Tensor:
        return torch.empty(clips, *self.generator.latent_shape, device=META)

    def _tokens(self, clips: int) -> torch.Tensor:
        return torch.empty(clips, *self.vlm.tokens_shape, device=META)

    def _pi(self, clips: int) -> Condition:
        return self.generator.encode_text([""]).expand(clips)

    @torch.no_grad()
    def _captions(self, clips: int) -> None:
        self.generator.encode_text(["a"] * clips)

    @torch.no_grad()
    def _encode(self, clips: int) -> None:
        self.generator.encode(self._video(clips))

    @torch.no_grad()
    def _embed(self, clips: int) -> None:
        self.vlm.encode(self._video(clips))

    @torch.no_grad()
    def _reencode(self, clips: int) -> None:
        self.vlm.encode(self.generator.decode(self._latent(clips)).clamp(0, 1))

    @torch.no_grad()
    def _sample(self, clips: int) -> None:
        sigma = torch.empty(clips, device=META)
        self.generator.velocity(self._latent(clips), sigma, self._pi(clips))
        self.generator.decode(self._latent(clips))

    @torch.no_grad()
    def _read(self, clips: int) -> None:
        tokens = self.vlm.encode(self.generator.decode(self._latent(clips)).clamp(0, 1))
        tokens = self.coupling(self._latent(clips), self._pi(clips).embeddings, tokens)
        self.vlm.logits(tokens, ASKED.question)

    @torch.no_grad()
    def _report(self, clips: int) -> None:
        pi = self._pi(clips).embeddings
        self.vlm.logits(self.coupling(self._latent(clips), pi, self._tokens(clips)), ASKED.question)

    def _train(self, clips: int) -> None:
        coupling, pi = self.coupling, self._pi(clips).embeddings
        coupling.train().requires_grad_(True)
        try:
            parts = coupling.parts(self._latent(clips), pi, self._tokens(clips))
            coupling_losses(parts, coupling.standardise(self._tokens(clips)))["loss"].backward()
        finally:
            coupling.zero_grad(set_to_none=True)
            coupling.eval().requires_grad_(False)

    def _fit(self, clips: int, settings: BankSettings) -> None:
        """A step of a bank of vectors; a map's objective, which needs no gradient."""
        reader = Reader(self.generator, self.vlm, self.coupling)
        pi, ones = self._pi(clips), torch.ones(clips)
        batch = Batch([ASKED] * clips, pi, pi, self._latent(clips), ones, ones, settings.at_once)
        vectors = settings.form == "vector"
        q = torch.empty(pi.embeddings.shape, device=META, requires_grad=vectors)
        with ExitStack() as stack:
            stack.enter_context(torch.set_grad_enabled(vectors))
            if settings.recompute:
                for model in (self.generator, self.vlm):
                    stack.enter_context(model.recomputing())
            score = OBJECTIVES[settings.objective](
                q, batch, reader, settings.logits, torch.Generator()
            )
            if vectors:
                score.loss.backward()


ASKED = Concept("a_b", "object", "a", "b", "a ?")
"""What is asked where only the number of words matters."""


def _peak(act: Act, clips: int) -> int:
    with fused_attention(), LiveMemory() as memory:
        act(clips)
    return memory.peak
