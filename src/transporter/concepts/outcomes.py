"""What became of the concepts of a bank: how far each moves the VLM's answer, and whether that is
enough.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import pandas as pd
import torch

from transporter.clips.contrast import Concept
from transporter.concepts.bank import ConceptBank
from transporter.concepts.contexts import Contexts, draw
from transporter.concepts.descent import Progress
from transporter.concepts.objectives import noisy, per_clip
from transporter.concepts.settings import BankSettings
from transporter.coupling.reader import Reader
from transporter.generators.condition import Condition
from transporter.networks.recompute import in_parts
from transporter.statistics.divergences import DIVERGENCES

OK, FAILED = "ok", "failed"
"""What the status of a concept says, or begins with."""
EFFECTIVE = {"separation": 0.2, "effect": 0.01}
"""A concept below one of these (share of the wanted change of velocity, move of the answer) is
reported as failed.
"""


@torch.no_grad()
def answer_gap(
    concept: Concept,
    contexts: Contexts,
    reader: Reader,
    settings: BankSettings,
    change: Callable[[Condition], Condition] | None = None,
) -> float:
    """`d_omega`: how far the VLM's answer moves, through Phi, from the clean estimate under pi- to
    that under pi+.

    A reader without a coupling decodes both estimates and encodes them again. With
    `change` the second path is `pi- + change(pi-)` instead: what a fitted vector achieves.
    Averaged over noise draws.
    """
    random = torch.Generator().manual_seed(settings.seed)
    pi_minus, pi_plus, z_0 = draw(contexts, settings.control_draws, random, reader.generator.device)
    low, high = settings.control_sigma
    sigma = (low + (high - low) * torch.rand(len(z_0), generator=random)).to(z_0)
    z_t = noisy(z_0, sigma, random)

    def answer(z_t: torch.Tensor, sigma: torch.Tensor, pi: Condition) -> torch.Tensor:
        clean = z_t - per_clip(sigma) * reader.generator.velocity(z_t, sigma, pi)
        tokens = (
            reader.reencoded(clean) if reader.coupling is None else reader.through_phi(clean, pi)
        )
        return reader.answer(tokens, concept, settings.support)

    sides = (pi_minus, pi_plus if change is None else pi_minus + change(pi_minus))
    answers = [in_parts(answer, settings.at_once, z_t, sigma, pi) for pi in sides]
    return float(DIVERGENCES[settings.divergence](*answers).mean())


def outcomes(
    bank: ConceptBank,
    progress: Progress,
    d_omega: Sequence[float],
    concepts: Sequence[Concept],
    contexts: Mapping[str, Contexts],
    reader: Reader,
    settings: BankSettings,
) -> pd.DataFrame:
    """A row for each concept; columns as `fit_bank` has them. One that falls short is printed, too.

    Args:
        progress: how far each concept has got.
        d_omega: how far the VLM's answer moves between the words of each.
    """
    rows = []
    for concept, gap in zip(concepts, d_omega, strict=True):
        change = partial(bank.change, concept.name)
        reached = {
            "separation": progress.separation(concept.name),
            "effect": answer_gap(concept, contexts[concept.name], reader, settings, change),
        }
        status = _status(reached, reader.generator.dtype)
        if status != OK:
            print(f"concept {concept.name} {status}", flush=True)
        rows.append({"concept": concept.name, "answer_gap": gap, **reached, "status": status})
    return pd.DataFrame(rows)


def _status(reached: Mapping[str, float], dtype: torch.dtype) -> str:
    """`ok`, or what a concept falls short of."""
    short = [
        f"{name} {value:.3f} (at least {EFFECTIVE[name]})"
        for name, value in reached.items()
        if value < EFFECTIVE[name]
    ]
    if math.isnan(reached["separation"]):
        short.insert(0, _lost(dtype))
    return f"{FAILED}: {', '.join(short)}" if short else OK


def _lost(dtype: torch.dtype) -> str:
    """Why nothing can be said of a separation."""
    if torch.finfo(dtype).eps <= torch.finfo(torch.float32).eps:
        return "the generator makes no difference between its words"
    return (
        f"the change that it shall make is lost in {str(dtype).removeprefix('torch.')}: set"
        " bank.strengths to unit, or the generator's dtype to float32"
    )


def with_refused(
    bank: ConceptBank,
    table: pd.DataFrame,
    concepts: Sequence[Concept],
    refused: Mapping[str, str],
    width: int,
) -> tuple[ConceptBank, pd.DataFrame]:
    """A bank and its table with the concepts that there was nothing to fit to, for these reasons:
    their vectors, `(1, width)`, are zero, so their clips do not change.
    """
    if not refused:
        return bank, table
    nothing = {name: torch.zeros(1, width) for name in refused}
    vectors = bank.vectors | nothing
    rows = [{"concept": name, "status": f"{FAILED}: {why}"} for name, why in refused.items()]
    whole = pd.concat([table, pd.DataFrame(rows)], ignore_index=True)
    names = [concept.name for concept in concepts]
    ordered = ConceptBank({name: vectors[name] for name in names}, bank.settings)
    return ordered, whole.set_index("concept").loc[names].reset_index()
