"""The most memory that one generator and one VLM take in each rule, counted on models without
weights.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import torch

from transporter.clips.contrast import Concept
from transporter.clips.stored import RESIDENT
from transporter.concepts.objectives import OBJECTIVES, Batch
from transporter.concepts.settings import ASKING, BankSettings
from transporter.coupling.network import Coupling
from transporter.coupling.reader import Reader
from transporter.coupling.settings import CouplingSettings
from transporter.coupling.training import coupling_losses
from transporter.generators.base import CAPTIONS_AT_ONCE, Generator
from transporter.generators.condition import Condition
from transporter.generators.diffusers_generator import (
    TEXT_ENCODERS,
    TRANSFORMERS,
    DiffusersGenerator,
)
from transporter.networks.live_memory import META
from transporter.networks.pretrained import hollow
from transporter.pipeline.loading import load_generator, load_vlm
from transporter.pipeline.memory_settings import MemorySettings
from transporter.pipeline.rule_memory import Rule, Stage, counted, peak, weight_bytes
from transporter.support.errors import UserError
from transporter.support.hashes import digest
from transporter.vlms.base import VLM
from transporter.vlms.pooled import PooledVLM
from transporter.vlms.transformers_vlm import TransformersVLM

READ = 32
"""Clips that the report asks the VLM about at once."""
Stages = dict[tuple[str, str], Stage]
"""What is counted already: acts by name, and by the models whose settings they depend on."""


class Pair:
    """One generator and one VLM without weights, and the rules that they work in.

    Args:
        generator, vlm: their settings.
        coupling: the settings of Phi.
        gpu: whether the device is a GPU, which decodes clip by clip, with fused attention; else a
            CPU.
        known: what other pairs of the same settings and device have counted.

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
        known: Stages | None = None,
    ) -> None:
        self._known = {} if known is None else known
        self._names = [digest(generator), digest(vlm)]
        cpu = torch.device("cpu")
        with hollow():
            self.generator: Generator = load_generator(generator, cpu)
            self.vlm: VLM = load_vlm(vlm, self.generator.video_shape, cpu, self.generator.fps)
        inner = self.vlm.vlm if isinstance(self.vlm, PooledVLM) else self.vlm
        for model, kind in ((self.generator, DiffusersGenerator), (inner, TransformersVLM)):
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
        peak(lambda clips: self.vlm.logits(self._tokens(clips), ASKED.question), 1)

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

    @property
    def video_bytes(self) -> int:
        """Of one clip's pixels."""
        return 4 * torch.Size(self.generator.video_shape).numel()

    def rules(
        self, bank: BankSettings, at_once: MemorySettings, captions: int, spaced: bool
    ) -> Iterator[Rule]:
        """All of them, `concept_bank` by the objective of the settings; clips of a concept are
        generated of so many captions, at strengths that may be spaced by the VLM's answers.
        """
        yield from self.light_rules(at_once)
        yield self.bank(bank)
        vlm, coupling, vae, _, transformers = self._weights
        decode, embed = self.stage("decode"), self.stage("embed")
        yield Rule("embed_reencoded", vae + vlm, at_once.embedding, (decode, embed))
        asked = min(READ, max(1, RESIDENT // self.token_bytes))
        encoding, report = self._captions_rule, self.stage("report")
        yield Rule("coupling_report", vlm + coupling, asked, (report,), encoding.peak)
        before = replace(encoding, clips=captions).peak
        sampled = (self.stage("velocity"), decode, *([embed] if spaced else []))
        sampler = vae + transformers + (vlm if spaced else 0)
        yield Rule("generation", sampler, at_once.sampling, sampled, before)
        # the decoded clips stay while they are asked about
        read = (decode, embed, report.beside(self.video_bytes))
        weights = vae + vlm + coupling
        before += vlm + coupling
        yield Rule("concept_readings", weights, at_once.reading, read, before)

    def light_rules(self, at_once: MemorySettings) -> Iterator[Rule]:
        """Those that are quick to count."""
        vlm, coupling, vae, *_ = self._weights
        yield self._captions_rule
        yield Rule("embed_generator", vae, at_once.embedding, (self.stage("encode"),))
        yield Rule("embed_vlm", vlm, at_once.embedding, (self.stage("embed"),))
        # beside the weights their gradients, and two moments of Adam
        stages = (self.stage("train"),)
        before = self._captions_rule.peak
        yield Rule("coupling", 4 * coupling, self.settings.batch, stages, before)

    @property
    def _weights(self) -> tuple[int, int, int, int, int]:
        """Bytes of VLM, coupling, VAE, text encoders and transformers."""
        parts = self.parts
        alone = (parts["vlm"], parts["coupling"], parts["vae"])
        return *alone, *(_of(parts, names) for names in (TEXT_ENCODERS, TRANSFORMERS))

    @property
    def _captions_rule(self) -> Rule:
        text = _of(self.parts, TEXT_ENCODERS)
        return Rule("captions", text, CAPTIONS_AT_ONCE, (self.stage("captions"),))

    def bank(self, settings: BankSettings) -> Rule:
        """`concept_bank` by other settings."""

        def act(clips: int) -> None:
            self._fit(clips, settings)

        at_once = min(settings.batch, settings.at_once or settings.batch)
        vlm, coupling, vae, text, transformers = self._weights
        # clips that wait, by their latents, velocities and conditions
        waiting = (settings.batch - at_once) * (6 * self.latent_bytes + 4 * self.condition_bytes)
        used = vlm + coupling + vae + transformers + waiting
        # what guidance leads away from is encoded beside the VLM, and the captions of edits are
        captions = self._captions_rule
        beside = captions.peak if settings.objective in ASKING else text + captions.stages[0].first
        before = max(captions.peak, vlm + coupling + beside)
        name = f"concept_bank, {settings.objective}"
        return Rule(name, used, at_once, (counted(act, at_once > 1),), before)

    def stage(self, name: str) -> Stage:
        """What an act holds, counted once for all pairs that it does not depend on."""
        act, models = {
            "captions": (self._captions, self._names[:1]),
            "encode": (self._encode, self._names[:1]),
            "decode": (self._decode, self._names[:1]),
            "velocity": (self._velocity, self._names[:1]),
            "embed": (self._embed, self._names),
            "report": (self._report, self._names),
            "answer": (self._answer, self._names),
            "train": (self._train, self._names),
        }[name]
        key = (name, " ".join(models))
        if key not in self._known:
            self._known[key] = counted(act)
        return self._known[key]

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
    def _decode(self, clips: int) -> None:
        self.generator.decode(self._latent(clips)).clamp(0, 1)

    @torch.no_grad()
    def _velocity(self, clips: int) -> None:
        sigma = torch.empty(clips, device=META)
        self.generator.velocity(self._latent(clips), sigma, self._pi(clips))

    @torch.no_grad()
    def _report(self, clips: int) -> None:
        pi = self._pi(clips).embeddings
        self.vlm.logits(self.coupling(self._latent(clips), pi, self._tokens(clips)), ASKED.question)

    @torch.no_grad()
    def _answer(self, clips: int) -> None:
        self.vlm.logits(self._tokens(clips), ASKED.question)

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
        """A step along a gradient; of maps in closed form the objective, which needs none."""
        reader = Reader(self.generator, self.vlm, self.coupling)
        pi, ones = self._pi(clips), torch.ones(clips)
        batch = Batch([ASKED] * clips, pi, pi, self._latent(clips), ones, ones, settings.at_once)
        learns = bool(settings.phases)
        q = torch.empty(pi.embeddings.shape, device=META, requires_grad=learns)
        with ExitStack() as stack:
            stack.enter_context(torch.set_grad_enabled(learns))
            if settings.recompute:
                for model in (self.generator, self.vlm):
                    stack.enter_context(model.recomputing())
            score = OBJECTIVES[settings.objective](
                q, batch, reader, settings.logits, torch.Generator()
            )
            if learns:
                score.loss.mean().backward()


ASKED = Concept("a_b", "object", "a", "b", "a ?")
"""What is asked where only the number of words matters."""


def _of(parts: Mapping[str, int], names: Sequence[str]) -> int:
    """Bytes of those of the parts that are there."""
    return sum(parts.get(name, 0) for name in names)
