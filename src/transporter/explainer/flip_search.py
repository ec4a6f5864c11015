"""From a clip to its counterfactual: which change of it, and how much, flips the VLM's answer?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

import numpy as np
import pandas as pd
import torch

from transporter.clips.contrast import Concept
from transporter.coupling.reader import Reader
from transporter.explainer.clip_edits import ClipEdits, Where
from transporter.explainer.counterfactual import Counterfactual, Flip
from transporter.generation.editing import Editing
from transporter.support.errors import UserError

PHI = (0.0, 0.25, 0.5, 0.75, 1.0)
HALVINGS = 4
"""Of the step in which the answer flips, to find the least strength."""
STILL = 1e-3
"""Log-odds in nats that do not count as a rise."""
TRIED = 3
"""Swaps of other words that are tried where the answer's own do not flip it."""


def explain(
    clip: torch.Tensor,
    concept: Concept,
    reader: Reader,
    caption: str | None = None,
    phi: Sequence[float] = PHI,
    editing: Editing | None = None,
    seed: int = 0,
    even: bool = True,
    swap: tuple[str, str] | None = None,
    where: Where | None = None,
) -> Counterfactual:
    """Edit a clip towards the word that the VLM does not answer, and find the least edit that flips
    its answer.

    The change is that of the clip's own caption when one word takes another's place.

    Args:
        clip: `(T, C, H, W)` in [0, 1], of the generator's shape.
        concept: both words and the question, in either order.
        caption: what the clip shows; by default the VLM's description. It must hold one of the
            words of the edit.
        phi: strengths, at least two different ones.
        editing: by default `Editing()`.
        seed: of the noise.
        even: show the clip at strengths between the smallest and the largest `phi` at which the
            log-odds rise evenly, in place of the others.
        swap: a word of the caption and another, to edit by these; by default by the answer and the
            other word.
        where: `map`, to edit only where the generator sees the word that gives way; by default the
            edit is free everywhere.

    Raises:
        UserError: the caption holds neither word, or words that the generator does not know, or
            there are fewer than two strengths.
    """
    phis = tuple(sorted(set(map(float, phi))))
    if len(phis) < 2:
        raise UserError(f"phi: expected at least two different strengths, got {list(phi)}")
    edits = ClipEdits.of(clip, concept, reader, caption, editing, seed, swap, where)

    def edited(strengths: Sequence[float]) -> dict[float, tuple[torch.Tensor, float]]:
        video, log_odds = edits.at(strengths)
        return dict(zip(strengths, zip(video, log_odds.tolist(), strict=True), strict=True))

    found = edited(phis)
    if even:
        phis = even_strengths(phis, [found[strength][1] for strength in phis])
        if new := [strength for strength in phis if strength not in found]:
            found |= edited(new)
    video, log_odds = zip(*(found[strength] for strength in phis), strict=True)
    return Counterfactual(
        edits.concept,
        edits.swap,
        edits.caption,
        clip.cpu(),
        edits.log_odds,
        phis,
        torch.stack(video),
        torch.tensor(log_odds),
        least_flip(lambda strength: edited([strength])[strength], found),
        edits.control(),
        reader.generator.fps,
    )


def even_strengths(phis: Sequence[float], log_odds: Sequence[float]) -> tuple[float, ...]:
    """As many strengths, of the same ends, between which the log-odds rise by equal steps, as read
    off the straight lines between the strengths given; these themselves where nothing rises.
    """
    reached = np.maximum.accumulate(log_odds)
    if reached[-1] - reached[0] < STILL:
        return tuple(phis)
    rising = reached + STILL * np.arange(len(reached)) / len(reached)  # strictly, for the inverse
    wanted = np.linspace(rising[0], rising[-1], len(phis))
    inner = np.interp(wanted, rising, phis).tolist()[1:-1]
    return (phis[0], *inner, phis[-1])


def otherwise(
    found: Counterfactual,
    ranked: pd.DataFrame,
    edit: Callable[[tuple[str, str]], Counterfactual],
    pairs: Callable[[], pd.DataFrame],
) -> Counterfactual | None:
    """By which other words does the answer flip, where it does not by its own?

    The first of the most telling swaps, `TRIED` of them at most, whose edit flips it, or else of
    the most telling pairs of swaps; None where none does, and where the answer's own words do.

    Args:
        ranked: swaps of the caption's words, the most telling first (`concepts.discovery`).
        edit: explains the clip by a swap.
        pairs: ranks two swaps at once.
    """
    if found.flip is not None:
        return None
    for table in (lambda: ranked, pairs):
        for swap in _telling(table(), found.swap):
            other = edit(swap)
            if other.flip is not None:
                return other
    return None


def _telling(ranked: pd.DataFrame, known: tuple[str, str]) -> list[tuple[str, str]]:
    """The first `TRIED` swaps that move the answer, without the one that is known."""
    moving = ranked[ranked["moves"] > 0]
    found = zip(moving["word"], moving["instead"], strict=True)
    return [swap for swap in found if swap != known][:TRIED]


def least_flip(
    edit: Callable[[float], tuple[torch.Tensor, float]],
    known: Mapping[float, tuple[torch.Tensor, float]],
) -> Flip | None:
    """Bisection of the first step between known strengths in which the answer flips. Where it flips
    back in between, a flip is found, though it need not be the least.

    Args:
        edit: a clip at a strength, `(T, C, H, W)`, and the other word's log-odds about it.
        known: the same at strengths that were tried.
    """
    steps = pairwise(sorted(known))
    flips = ((low, high) for low, high in steps if known[low][1] <= 0 < known[high][1])
    low, high = next(flips, (None, None))
    if low is None:
        return None
    found = Flip(high, known[high][0], known[high][1])
    for _ in range(HALVINGS):
        middle = (low + found.phi) / 2
        clip, odds = edit(middle)
        if odds > 0:
            found = Flip(middle, clip, odds)
        else:
            low = middle
    return found
