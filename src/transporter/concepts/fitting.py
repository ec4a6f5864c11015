"""Fitting the bank: all vectors together, in batches, with generator and VLM frozen (paper, stage
2).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import pandas as pd
import torch

from transporter.clips.contrast import Concept
from transporter.concepts.bank import ConceptBank
from transporter.concepts.choices import fit_edits
from transporter.concepts.contexts import Contexts, draw
from transporter.concepts.descent import Descent, Progress
from transporter.concepts.objectives import OBJECTIVES, Batch
from transporter.concepts.outcomes import answer_gap, outcomes
from transporter.concepts.refined import RefinedMap, at_tokens
from transporter.concepts.settings import BankSettings
from transporter.concepts.untold import LowRankMaps, Untold
from transporter.concepts.vectors import Vectors, mean_difference, principal_directions
from transporter.coupling.reader import Reader
from transporter.generators.condition import Condition
from transporter.support.checkpoint import fingerprint
from transporter.support.hashes import digest

CHECKED = 16
"""Contexts of each concept that a bank in closed form is measured on."""


@dataclass(frozen=True)
class _Fit:
    """Concepts, what each is fitted on, and how far the VLM's answer moves between its words,
    `d_omega` `(concepts,)`.
    """

    concepts: Sequence[Concept]
    contexts: Mapping[str, Contexts]
    reader: Reader
    settings: BankSettings
    d_omega: torch.Tensor

    @classmethod
    def prepare(
        cls,
        concepts: Sequence[Concept],
        contexts: Mapping[str, Contexts],
        reader: Reader,
        settings: BankSettings,
    ) -> _Fit:
        d_omega = torch.tensor(
            [answer_gap(c, contexts[c.name], reader, settings) for c in concepts]
        )
        return cls(concepts, contexts, reader, settings, d_omega.to(reader.generator.device))

    @property
    def device(self) -> torch.device:
        return self.reader.generator.device

    def start(self, maps: ConceptBank | None) -> torch.Tensor:
        """`(concepts, L, d)`; beside maps nothing."""
        means = torch.stack(
            [mean_difference(self.contexts[c.name], self.settings.tokens) for c in self.concepts]
        )
        means = means.to(self.device)
        nothing = maps is not None or self.settings.start == "zero"
        return torch.zeros_like(means) if nothing else means

    def _directions(self, objective: str) -> torch.Tensor | None:
        """Along what vectors may move: along anything, unless the VLM's gradient, which few clips
        agree on, says where to.
        """
        count = self.settings.logits.directions if objective in ("logits", "mixed") else 0
        contexts = [self.contexts[c.name] for c in self.concepts]
        if not count:
            return None
        return principal_directions(contexts, self.settings.tokens, count).to(self.device)

    def _batch(self, step: int) -> tuple[torch.Tensor, Batch, torch.Generator]:
        """The concepts of a step's clips `(B,)`, the batch, and the random numbers that are left
        for the objective.
        """
        share = max(1, self.settings.batch // len(self.concepts))
        random = torch.Generator().manual_seed(self.settings.seed * 1_000_003 + step)
        chosen = torch.randperm(len(self.concepts), generator=random)[
            : self.settings.batch // share
        ]
        which = chosen.repeat_interleave(share)
        names = [self.concepts[index].name for index in chosen]
        parts = [draw(self.contexts[name], share, random, self.device) for name in names]
        minus, plus, latents = zip(*parts, strict=True)
        pi_minus, pi_plus, z_0 = Condition.cat(minus), Condition.cat(plus), torch.cat(latents)
        phi = torch.rand(len(z_0), generator=random).to(z_0)
        scale = (
            self.d_omega
            if self.settings.strengths == "answer_gap"
            else torch.ones_like(self.d_omega)
        )
        rows = [self.concepts[index] for index in which]
        scales = scale[which].to(phi)
        batch = Batch(rows, pi_minus, pi_plus, z_0, phi, scales, self.settings.at_once)
        return which, batch, random

    def descend(
        self,
        objective: str,
        steps: int,
        start: torch.Tensor,
        folder: Path | None,
        maps: ConceptBank | None = None,
    ) -> tuple[torch.Tensor, Progress]:
        """Vectors `(concepts, L, d)` after some steps on one objective, alone or beside `maps`, and
        how far they got; a checkpoint in `folder` of this very fit is gone on from.
        """
        vectors = Vectors(start, self._directions(objective))

        def change(which: torch.Tensor, batch: Batch) -> torch.Tensor:
            q = vectors()[which]
            return q if maps is None else _changes(maps, batch) + at_tokens(q, batch.pi_minus)

        descent = Descent(vectors, self.settings.lr, steps)
        self._follow(descent, objective, change, folder, start)
        return vectors().detach(), descent.progress

    def _follow(
        self,
        descent: Descent,
        objective: str,
        change: Callable[[torch.Tensor, Batch], torch.Tensor],
        folder: Path | None,
        start: torch.Tensor,
    ) -> None:
        """All steps of a descent on one objective; `change` is what the concepts of a batch's clips
        add to it, `(B, L, d)`.
        """
        settings, steps = self.settings, descent.steps
        if folder is not None:
            descent.keep(folder / f"{objective}.safetensors", self._identity(objective, start))
        while descent.step < steps:
            which, batch, random = self._batch(descent.step)
            with self._recomputing():
                q = change(which, batch)
                score = OBJECTIVES[objective](q, batch, self.reader, settings.logits, random)
                score.loss.mean().backward()
            descent.progress.add_all(batch, score)
            descent.update()
            if descent.step % 25 == 0 or descent.step == steps:
                where = f"{objective}, step {descent.step}/{steps}"
                print(f"{where}, separation reached: {descent.progress}", flush=True)

    @contextmanager
    def _recomputing(self) -> Iterator[None]:
        with ExitStack() as stack:
            if self.settings.recompute:
                for model in (self.reader.generator, self.reader.vlm):
                    stack.enter_context(model.recomputing())
            yield

    def _identity(self, objective: str, start: torch.Tensor) -> str:
        """Of all that vectors depend on; what the models and Phi make of the contexts shows in
        `d_omega`.
        """
        words = [(c.name, c.source, c.target, c.question) for c in self.concepts]
        parts = [self.contexts[c.name] for c in self.concepts]
        conditions = [side.embeddings for part in parts for side in (part.pi_minus, part.pi_plus)]
        seen = fingerprint(start, self.d_omega, *conditions, *(part.z_xi for part in parts))
        return digest(objective, asdict(self.settings), words, seen)

    @torch.no_grad()
    def measured(self, objective: str, bank: ConceptBank) -> Progress:
        """How far a bank gets, whatever has led to it."""
        progress = Progress()
        for step in range(self._steps_for(CHECKED)):
            _, batch, random = self._batch(step)
            q = _changes(bank, batch)
            score = OBJECTIVES[objective](q, batch, self.reader, self.settings.logits, random)
            progress.add_all(batch, score)
        return progress

    def refined(self, maps: ConceptBank, folder: Path | None) -> tuple[ConceptBank, Progress]:
        """Maps and what a gradient adds to them, where it adds something: a concept that gets no
        further by it keeps its map alone. And how far each gets.
        """
        offsets, objective = self.start(maps), self.settings.objective
        for one, steps in self.settings.phases:
            offsets, _ = self.descend(one, steps, offsets, folder, maps)
        refined = {
            concept.name: RefinedMap(maps.vectors[concept.name], offset)
            for concept, offset in zip(self.concepts, offsets, strict=True)
        }
        before = self.measured(objective, maps)
        after = self.measured(objective, ConceptBank(refined))
        further = {
            name: one for name, one in refined.items() if after.loss[name] < before.loss[name]
        }
        bank = ConceptBank(maps.vectors | further, asdict(self.settings))
        return bank, after.chosen(further, before)

    def from_nothing(self, folder: Path | None) -> tuple[ConceptBank, Progress]:
        """Maps that the gradient of the log-odds alone makes, where no swap of words tells; one
        that gets no further than no change is none. And how far each gets.
        """
        untold, first = self.settings.logits.untold, self.contexts[self.concepts[0].name]
        assert isinstance(first, Untold)
        directions = first.directions[: untold.directions or None].to(self.device)
        learnt = LowRankMaps(len(self.concepts), directions, untold.rank, self.settings.seed)
        start = learnt.maps()

        def change(which: torch.Tensor, batch: Batch) -> torch.Tensor:
            return learnt.change(which, batch.pi_minus)

        descent = Descent(learnt, untold.lr, untold.steps)
        self._follow(descent, "logits", change, folder, learnt.weights.detach().clone())
        names = [concept.name for concept in self.concepts]
        banks = [
            ConceptBank(dict(zip(names, maps, strict=True)), asdict(self.settings))
            for maps in (start, learnt.maps())
        ]
        before, after = (self.measured("logits", bank) for bank in banks)
        further = {name for name in names if after.loss[name] < before.loss[name]}
        chosen = {name: banks[name in further][name] for name in names}
        return ConceptBank(chosen, asdict(self.settings)), after.chosen(further, before)

    def _steps_for(self, contexts: int) -> int:
        """After how many steps each concept has met about as many contexts."""
        share = max(1, self.settings.batch // len(self.concepts))
        return math.ceil(contexts * len(self.concepts) / (self.settings.batch // share * share))

    def outcomes(self, bank: ConceptBank, progress: Progress) -> pd.DataFrame:
        """What became of each concept."""
        d_omega = self.d_omega.tolist()
        parts = (self.concepts, self.contexts, self.reader, self.settings)
        return outcomes(bank, progress, d_omega, *parts)


def _changes(bank: ConceptBank, batch: Batch) -> torch.Tensor:
    """What a bank adds to a batch's captions at strength 1, each its own concept's: `(B, L, d)`."""
    names = [concept.name for concept in batch.concepts]
    rows = [
        bank.change(name, batch.pi_minus[row : row + 1]).embeddings
        for row, name in enumerate(names)
    ]
    return torch.cat(rows)


def bank_table(
    bank: ConceptBank,
    concepts: Sequence[Concept],
    contexts: Mapping[str, Contexts],
    reader: Reader,
    settings: BankSettings,
) -> pd.DataFrame:
    """What became of the concepts of a bank in closed form, as `fit_bank` tells it of others."""
    fit = _Fit.prepare(concepts, contexts, reader, settings)
    return fit.outcomes(bank, fit.measured(settings.objective, bank))


def fit_bank(
    concepts: Sequence[Concept],
    contexts: Mapping[str, Contexts],
    reader: Reader,
    settings: BankSettings,
    answers: ConceptBank | None = None,
    folder: Path | None = None,
) -> tuple[ConceptBank, pd.DataFrame]:
    """Fit one vector per concept to the objective that `settings` name; `logits` goes on from a fit
    to `answers`, given or made. Of `form` `map`, one map per concept in closed form, or, where the
    VLM was asked, a choice of maps; `logits` and `mixed` go on from these.

    `contexts` are pairs of captions with the concept's words or, for `answers` and `logits`, pairs
    that the VLM answers differently (`answered_pairs`). For `logits` they may also be captions that
    no swap of words tells about (`Untold`): a gradient makes a map of nothing then, whatever the
    form. `folder` gets a checkpoint for each phase, from which an interrupted fit goes on to the
    same vectors.

    Returns the bank and a table with one row per concept: `answer_gap` (d_omega), `separation`
    (share of the change wanted by the objective that the vector brings about: of velocity, of
    log-odds, or of both in their weights), `effect` (how far the fitted vector moves the VLM's
    answer) and `status` (`ok`, or `failed` and why).
    """
    untold = [c for c in concepts if isinstance(contexts[c.name], Untold)]
    if untold:
        return _partly_told(concepts, untold, contexts, reader, settings, answers, folder)
    fit = _Fit.prepare(concepts, contexts, reader, settings)
    if settings.form == "map":
        maps = fit_edits(contexts, settings.ridge, settings.rank, fit.device)
        bank = ConceptBank(maps, asdict(settings))
        if settings.phases:
            bank, progress = fit.refined(bank, folder)
        else:
            progress = fit.measured(settings.objective, bank)
        return bank, fit.outcomes(bank, progress)
    vectors, phases = fit.start(None), settings.phases
    if answers and len(phases) > 1 and answers.settings.get("form") != "map":
        vectors, phases = torch.stack([answers[c.name] for c in concepts]), phases[1:]
    for objective, steps in phases:
        vectors, progress = fit.descend(objective, steps, vectors, folder)
    bank = ConceptBank(
        {c.name: v for c, v in zip(concepts, vectors, strict=True)}, asdict(settings)
    )
    return bank, fit.outcomes(bank, progress)


def _partly_told(
    concepts: Sequence[Concept],
    untold: Sequence[Concept],
    contexts: Mapping[str, Contexts],
    reader: Reader,
    settings: BankSettings,
    answers: ConceptBank | None,
    folder: Path | None,
) -> tuple[ConceptBank, pd.DataFrame]:
    """`fit_bank` of concepts some of which no swap of words tells about."""
    assert settings.objective == "logits"
    logits = replace(settings.logits, trust=settings.logits.untold.trust)
    fit = _Fit.prepare(untold, contexts, reader, replace(settings, logits=logits))
    bank, progress = fit.from_nothing(None if folder is None else folder / "untold")
    table = fit.outcomes(bank, progress)
    if told := [c for c in concepts if c not in untold]:
        other, more = fit_bank(told, contexts, reader, settings, answers, folder)
        bank = ConceptBank(other.vectors | bank.vectors, other.settings)
        table = pd.concat([more, table], ignore_index=True)
    names = [concept.name for concept in concepts]
    ordered = ConceptBank({name: bank[name] for name in names}, bank.settings)
    return ordered, table.set_index("concept").loc[names].reset_index()
