"""Fitting the bank: all vectors together, in batches, with generator and VLM frozen (paper, stage 2)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

import pandas as pd
import torch

from transporter.concepts.bank import ConceptBank
from transporter.concepts.divergence import DIVERGENCES
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
    start: str = "prompts"
    strengths: str = "control"
    steps: int = 300
    batch: int = 24
    learning_rate: float = 0.01
    control_sigma: tuple[float, float] = (0.8, 0.99)
    control_draws: int = 8
    seed: int = 0


@dataclass(frozen=True)
class Contexts:
    """What one concept is fitted on: condition pairs `(n, L, d)` and latents of the clips that gave them `(n, c, t, h, w)`."""

    pi_minus: torch.Tensor
    pi_plus: torch.Tensor
    z_xi: torch.Tensor

    def __len__(self) -> int:
        return len(self.pi_minus)


@dataclass
class Progress:
    """Smoothed squared error of each vector and of no vector at all; their ratio tells the separation reached."""

    error: dict[str, float] = field(default_factory=dict)
    nothing: dict[str, float] = field(default_factory=dict)

    def add(self, name: str, error: float, nothing: float) -> None:
        for table, value in ((self.error, error), (self.nothing, nothing)):
            table[name] = 0.9 * table.get(name, value) + 0.1 * value

    def separation(self, name: str) -> float:
        """Share of the wanted change of velocity that the vector explains: 1 all of it, 0 none."""
        return (self.nothing[name] - self.error[name]) / max(self.nothing[name], 1e-12)


def gather_contexts(concept: Concept, captions: Sequence[str], z_xi: torch.Tensor, reader: Reader, limit: int = 512) -> Contexts:
    """Every clip whose caption holds one of the words gives a context (at most `limit`).

    Raises:
        UserError: no caption holds either word.
    """
    rows = [(row, pair) for row, caption in enumerate(captions) if (pair := concept.pair(caption))][:limit]
    if not rows:
        raise UserError(
            f"concept {concept.name}: expected captions with {concept.source!r} or {concept.target!r}, found none in "
            f"{len(captions)}; add clips or drop the concept"
        )
    minus, plus = (reader.generator.encode_text([pair[side] for _, pair in rows]) for side in (0, 1))
    return Contexts(minus, plus, z_xi[[row for row, _ in rows]].to(reader.generator.device))


def _noisy(z_0: torch.Tensor, sigma: torch.Tensor, random: torch.Generator) -> torch.Tensor:
    """`z_t = (1 - sigma) z_0 + sigma noise`."""
    noise = torch.randn(z_0.shape, generator=random).to(z_0)
    return z_0.lerp(noise, sigma.view(-1, 1, 1, 1, 1))


def _draw(contexts: Contexts, count: int, random: torch.Generator) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    rows = torch.randint(len(contexts), (count,), generator=random)
    return contexts.pi_minus[rows], contexts.pi_plus[rows], contexts.z_xi[rows]


@torch.no_grad()
def control(
    concept: Concept, contexts: Contexts, reader: Reader, settings: BankSettings, change: torch.Tensor | None = None
) -> float:
    """`d_omega`: how far the VLM's answer moves, through Phi, from the clean estimate under pi- to that under pi+.

    With `change` `(L, d)` the second path is `pi- + change` instead: what a fitted vector achieves. Averaged over noise draws.
    """
    random = torch.Generator().manual_seed(settings.seed)
    pi_minus, pi_plus, z_0 = _draw(contexts, settings.control_draws, random)
    low, high = settings.control_sigma
    sigma = (low + (high - low) * torch.rand(len(z_0), generator=random)).to(z_0)
    z_t = _noisy(z_0, sigma, random)
    answers = []
    for pi in (pi_minus, pi_plus if change is None else pi_minus + change):
        clean = z_t - sigma.view(-1, 1, 1, 1, 1) * reader.generator.velocity(z_t, sigma, pi)
        answers.append(reader.answer(reader.through_phi(clean, pi), concept, settings.support))
    return float(DIVERGENCES[settings.divergence](*answers).mean())


def mean_difference(contexts: Contexts, tokens: str) -> torch.Tensor:
    """Where a vector may start: the mean of `pi+ - pi-` over contexts, `(L, d)` for `each` token or `(1, d)` `shared` by all."""
    mean = (contexts.pi_plus - contexts.pi_minus).mean(0)
    return mean if tokens == "each" else mean.mean(0, keepdim=True)


def velocity_error(
    q: torch.Tensor, phi: torch.Tensor, contexts: tuple[torch.Tensor, ...], reader: Reader, random: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """The paper's loss `|| sg[G(z_t, pi-) + phi dv] - G(z_t, pi- + phi q) ||^2` per clip, and the same without q: `(B,)` each.

    `q` `(B, L, d)`, `phi` `(B,)`, `contexts` as three batches pi-, pi+ `(B, L, d)` and z_0 `(B, c, t, h, w)`.
    """
    pi_minus, pi_plus, z_0 = contexts
    sigma = torch.rand(len(z_0), generator=random).clamp(min=0.02).to(z_0)
    z_t = _noisy(z_0, sigma, random)
    velocity = reader.generator.velocity
    with torch.no_grad():
        minus, plus = velocity(*(torch.cat([x, x]) for x in (z_t, sigma)), torch.cat([pi_minus, pi_plus])).chunk(2)
        wanted = phi.view(-1, 1, 1, 1, 1) * (plus - minus)
    reached = velocity(z_t, sigma, pi_minus + phi.view(-1, 1, 1) * q) - minus
    return (reached - wanted).square().flatten(1).mean(1), wanted.square().flatten(1).mean(1)


def fit_bank(
    concepts: Sequence[Concept], contexts: Mapping[str, Contexts], reader: Reader, settings: BankSettings
) -> tuple[ConceptBank, pd.DataFrame]:
    """Fit one vector per concept.

    Returns the bank and a table with one row per concept: `d_omega` (the control), `separation` (share of the wanted change of
    velocity explained), `effect` (how far the fitted vector moves the VLM's answer) and `status` (`ok` or `failed`).
    """
    length, width = reader.generator.condition_shape
    shape = (len(concepts), length if settings.tokens == "each" else 1, width)
    vectors = torch.zeros(shape, device=reader.generator.device)
    if settings.start == "prompts":
        vectors = torch.stack([mean_difference(contexts[c.name], settings.tokens) for c in concepts])
    vectors.requires_grad_()
    d_omega = torch.tensor([control(c, contexts[c.name], reader, settings) for c in concepts]).to(vectors)
    optimiser = torch.optim.Adam([vectors], lr=settings.learning_rate)
    progress, share = Progress(), max(1, settings.batch // len(concepts))
    for step in range(settings.steps):
        random = torch.Generator().manual_seed(settings.seed * 1_000_003 + step)
        chosen = torch.randperm(len(concepts), generator=random)[: settings.batch // share]
        optimiser.param_groups[0]["lr"] = settings.learning_rate * 0.5 * (1 + math.cos(math.pi * step / settings.steps))
        which = chosen.repeat_interleave(share)
        batches = [_draw(contexts[concepts[index].name], share, random) for index in chosen]
        phi = torch.rand(len(which), generator=random).to(vectors)
        if settings.strengths == "control":
            phi = phi * d_omega[which]
        error, nothing = velocity_error(vectors[which], phi, tuple(map(torch.cat, zip(*batches, strict=True))), reader, random)
        # each clip counts by its own wanted change, else concepts with a large one drown the rest
        (error / nothing.mean().clamp(min=1e-8)).mean().backward()
        optimiser.step()
        optimiser.zero_grad()
        for index, e, n in zip(which.tolist(), error.tolist(), nothing.tolist(), strict=True):
            progress.add(concepts[index].name, e, n)
        if (step + 1) % 25 == 0 or step + 1 == settings.steps:
            reached = ", ".join(f"{name} {progress.separation(name):.2f}" for name in sorted(progress.error))
            print(f"step {step + 1}/{settings.steps}, separation reached: {reached}", flush=True)
    bank = ConceptBank({c.name: v for c, v in zip(concepts, vectors.detach(), strict=True)}, asdict(settings))
    rows = [
        _row(c, float(d), progress.separation(c.name), bank, contexts, reader, settings)
        for c, d in zip(concepts, d_omega, strict=True)
    ]
    return bank, pd.DataFrame(rows)


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
