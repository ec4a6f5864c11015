"""Fitting the bank: all vectors together, in batches, with generator and VLM frozen (paper, stage 2)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import pandas as pd
import torch

from transporter.concepts.bank import ConceptBank
from transporter.concepts.contexts import Contexts, draw
from transporter.concepts.divergence import DIVERGENCES
from transporter.concepts.objectives import OBJECTIVES, Batch, LogitsSettings, Score, noisy, per_clip
from transporter.concepts.vectors import Vectors, mean_difference, principal_directions
from transporter.contrast import Concept
from transporter.errors import UserError
from transporter.reading import Reader

EFFECTIVE = {"separation": 0.2, "effect": 0.01}
"""A concept below one of these (share of the wanted change of velocity, move of the answer) is reported as failed."""


@dataclass(frozen=True)
class BankSettings:
    """How the bank is fitted; see config/README.md."""

    objective: str = "velocity"
    divergence: str = "hellinger"
    support: str = "pair"
    tokens: str = "each"
    start: str = "mean"
    strengths: str = "control"
    steps: int = 300
    batch: int = 24
    learning_rate: float = 0.01
    control_sigma: tuple[float, float] = (0.8, 0.99)
    control_draws: int = 8
    logits: LogitsSettings = field(default_factory=LogitsSettings)
    seed: int = 0

    def __post_init__(self) -> None:
        if self.objective not in OBJECTIVES:
            raise UserError(f"key bank.objective: expected one of {', '.join(OBJECTIVES)}, got {self.objective!r}")

    @property
    def phases(self) -> list[tuple[str, int]]:
        """Objectives and their steps, one after the other."""
        if self.objective == "logits":
            return [("answers", self.steps), ("logits", self.logits.steps)]
        return [(self.objective, self.steps)]

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any], seed: int) -> BankSettings:
        """The part `bank` of a checked configuration.

        Raises:
            UserError: no such objective, or settings of the objective that it cannot be fitted with.
        """
        rest = {key: value for key, value in mapping.items() if key not in ("lr", "control_sigma", "logits")}
        logits = LogitsSettings(**mapping["logits"] | {"sigma": tuple(mapping["logits"]["sigma"])})
        sigma = tuple(mapping["control_sigma"])
        return cls(learning_rate=mapping["lr"], control_sigma=sigma, logits=logits, seed=seed, **rest)


@dataclass
class Progress:
    """Smoothed error of each vector and of no vector at all; their ratio tells the separation reached."""

    error: dict[str, float] = field(default_factory=dict)
    nothing: dict[str, float] = field(default_factory=dict)

    def add(self, name: str, error: float, nothing: float) -> None:
        for table, value in ((self.error, error), (self.nothing, nothing)):
            table[name] = 0.9 * table.get(name, value) + 0.1 * value

    def add_all(self, batch: Batch, score: Score) -> None:
        """Every clip of a batch."""
        for concept, error, nothing in zip(batch.concepts, score.error.tolist(), score.nothing.tolist(), strict=True):
            self.add(concept.name, error, nothing)

    def separation(self, name: str) -> float:
        """Share of the change wanted by the objective that the vector brings about: 1 all of it, 0 none."""
        return (self.nothing[name] - self.error[name]) / max(self.nothing[name], 1e-12)


@torch.no_grad()
def control(
    concept: Concept, contexts: Contexts, reader: Reader, settings: BankSettings, change: torch.Tensor | None = None
) -> float:
    """`d_omega`: how far the VLM's answer moves, through Phi, from the clean estimate under pi- to that under pi+.

    With `change` `(L, d)` the second path is `pi- + change` instead: what a fitted vector achieves. Averaged over noise draws.
    """
    random = torch.Generator().manual_seed(settings.seed)
    pi_minus, pi_plus, z_0 = draw(contexts, settings.control_draws, random)
    low, high = settings.control_sigma
    sigma = (low + (high - low) * torch.rand(len(z_0), generator=random)).to(z_0)
    z_t = noisy(z_0, sigma, random)
    answers = []
    for pi in (pi_minus, pi_plus if change is None else pi_minus + change):
        clean = z_t - per_clip(sigma) * reader.generator.velocity(z_t, sigma, pi)
        answers.append(reader.answer(reader.through_phi(clean, pi), concept, settings.support))
    return float(DIVERGENCES[settings.divergence](*answers).mean())


def _start(concepts: Sequence[Concept], contexts: Mapping[str, Contexts], settings: BankSettings) -> torch.Tensor:
    """`(concepts, L, d)`"""
    means = torch.stack([mean_difference(contexts[concept.name], settings.tokens) for concept in concepts])
    return torch.zeros_like(means) if settings.start == "zero" else means


def _directions(
    objective: str, concepts: Sequence[Concept], contexts: Mapping[str, Contexts], settings: BankSettings
) -> torch.Tensor | None:
    """Along what vectors may move: along anything, unless the VLM's gradient, which few clips agree on, says where to."""
    count = settings.logits.directions if objective in ("logits", "mixed") else 0
    return principal_directions([contexts[c.name] for c in concepts], settings.tokens, count) if count else None


def _batch(
    chosen: Sequence[Concept], contexts: Mapping[str, Contexts], control: torch.Tensor, share: int, random: torch.Generator
) -> Batch:
    """`share` clips of each of the chosen concepts, whose velocities' strengths are scaled by `control` `(chosen,)`."""
    parts = [draw(contexts[concept.name], share, random) for concept in chosen]
    pi_minus, pi_plus, z_0 = map(torch.cat, zip(*parts, strict=True))
    phi = torch.rand(len(z_0), generator=random).to(z_0)
    rows = [concept for concept in chosen for _ in range(share)]
    return Batch(rows, pi_minus, pi_plus, z_0, phi, control.repeat_interleave(share))


def fit_bank(
    concepts: Sequence[Concept],
    contexts: Mapping[str, Contexts],
    reader: Reader,
    settings: BankSettings,
    answers: ConceptBank | None = None,
) -> tuple[ConceptBank, pd.DataFrame]:
    """Fit one vector per concept to the objective that `settings` name; `logits` goes on from a fit to `answers`, given or made.

    `contexts` are pairs of captions with the concept's words or, for `answers` and `logits`, pairs that the VLM answers
    differently (`edits.answered_pairs`).

    Returns the bank and a table with one row per concept: `d_omega` (the control), `separation` (share of the change wanted by the
    objective that the vector brings about: of velocity, of log-odds, or of both in their weights), `effect` (how far the fitted
    vector moves the VLM's answer) and `status` (`ok` or `failed`).
    """
    d_omega = torch.tensor([control(c, contexts[c.name], reader, settings) for c in concepts]).to(reader.generator.device)
    vectors, phases = _start(concepts, contexts, settings), settings.phases
    if answers and len(phases) > 1:
        vectors, phases = torch.stack([answers[c.name] for c in concepts]), phases[1:]
    for objective, steps in phases:
        vectors, progress = _descend(objective, steps, vectors, d_omega, concepts, contexts, reader, settings)
    bank = ConceptBank({c.name: v for c, v in zip(concepts, vectors, strict=True)}, asdict(settings))
    rows = [
        _row(c, float(d), progress.separation(c.name), bank, contexts, reader, settings)
        for c, d in zip(concepts, d_omega, strict=True)
    ]
    return bank, pd.DataFrame(rows)


def _descend(
    objective: str,
    steps: int,
    start: torch.Tensor,
    d_omega: torch.Tensor,
    concepts: Sequence[Concept],
    contexts: Mapping[str, Contexts],
    reader: Reader,
    settings: BankSettings,
) -> tuple[torch.Tensor, Progress]:
    """Vectors `(concepts, L, d)` after some steps on one objective, and how far they got."""
    vectors = Vectors(start, _directions(objective, concepts, contexts, settings))
    scale = (d_omega if settings.strengths == "control" else torch.ones_like(d_omega)).to(start)
    optimiser = torch.optim.Adam([vectors.weights], lr=settings.learning_rate)
    progress, share = Progress(), max(1, settings.batch // len(concepts))
    for step in range(steps):
        random = torch.Generator().manual_seed(settings.seed * 1_000_003 + step)
        chosen = torch.randperm(len(concepts), generator=random)[: settings.batch // share]
        optimiser.param_groups[0]["lr"] = settings.learning_rate * 0.5 * (1 + math.cos(math.pi * step / steps))
        batch = _batch([concepts[index] for index in chosen], contexts, scale[chosen], share, random)
        which = chosen.repeat_interleave(share)
        score = OBJECTIVES[objective](vectors()[which], batch, reader, settings.logits, random)
        score.loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        progress.add_all(batch, score)
        if (step + 1) % 25 == 0 or step + 1 == steps:
            reached = ", ".join(f"{name} {progress.separation(name):.2f}" for name in sorted(progress.error))
            print(f"{objective}, step {step + 1}/{steps}, separation reached: {reached}", flush=True)
    return vectors().detach(), progress


def _row(
    concept: Concept,
    d_omega: float,
    separation: float,
    bank: ConceptBank,
    contexts: Mapping[str, Contexts],
    reader: Reader,
    settings: BankSettings,
) -> dict[str, str | float]:
    effect = control(concept, contexts[concept.name], reader, settings, bank[concept.name])
    reached = {"separation": separation, "effect": effect}
    short = [f"{name} {value:.3f} (at least {EFFECTIVE[name]})" for name, value in reached.items() if value < EFFECTIVE[name]]
    if short:
        print(f"concept {concept.name} FAILED: {', '.join(short)}", flush=True)
    return {"concept": concept.name, "d_omega": d_omega, **reached, "status": "failed" if short else "ok"}
