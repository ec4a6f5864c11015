"""Why does the VLM answer so about this clip? The clip as it would be for another answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import numpy as np
import pandas as pd
import torch

from transporter.clips.contrast import Concept
from transporter.concepts.bank import random_like
from transporter.coupling.reader import Reader
from transporter.explainer.location import places_of
from transporter.generation.editing import Editing, flow_edit
from transporter.generators.condition import Condition
from transporter.generators.wording import readable
from transporter.support.errors import UserError

Where = Literal["map"]
PHI = (0.0, 0.25, 0.5, 0.75, 1.0)
HALVINGS = 4
"""Of the step in which the answer flips, to find the least strength."""
STILL = 1e-3
"""Log-odds in nats that do not count as a rise."""
TRIED = 3
"""Swaps of other words that are tried where the answer's own do not flip it."""
SEEN = 0.1
"""A pixel has changed where one of its colours differs by more than this share of their range."""


@dataclass(frozen=True)
class Flip:
    """The least change found that flips the answer."""

    phi: float
    video: torch.Tensor
    """`(T, C, H, W)` in [0, 1]."""
    log_odds: float


@dataclass(frozen=True, repr=False)
class Counterfactual:
    """One clip of a user's, the VLM's answer, and edits of the clip towards another answer."""

    concept: Concept
    """`source` is what the VLM answers about the clip, `target` the other word."""
    swap: tuple[str, str]
    """The word that gives way in the caption, and the one that takes its place."""
    caption: str
    """What the clip shows, with the former of both."""
    clip: torch.Tensor
    """As the models see it, `(T, C, H, W)` in [0, 1]."""
    clip_log_odds: float
    """`log p(target) - log p(source)` of the answer about it, in nats; at most 0."""
    phi: tuple[float, ...]
    """Strengths, rising; at 0 the clip is encoded and decoded, and nothing else."""
    video: torch.Tensor
    """The edits, `(P, T, C, H, W)` in [0, 1]."""
    log_odds: torch.Tensor
    """`(P,)`"""
    flip: Flip | None
    """None where no strength up to the last flips the answer."""
    control_log_odds: float
    """After a random change as large as that at strength 1."""
    fps: float

    @property
    def edited(self) -> torch.Tensor:
        """The least edit that flips the answer; without one that of the largest strength:
        `(T, C, H, W)`.
        """
        return self.video[-1] if self.flip is None else self.flip.video

    @property
    def difference(self) -> torch.Tensor:
        """What the edit changes beyond what encoding alone does, `(T, H, W)` in [0, 1]: the largest
        change of a pixel's colours.
        """
        return (self.edited - self.unedited).abs().amax(1)

    @property
    def unedited(self) -> torch.Tensor:
        """At the smallest strength, 0 as a rule: the clip as the generator gives it back,
        `(T, C, H, W)`.
        """
        return self.video[min(range(len(self.phi)), key=lambda place: abs(self.phi[place]))]

    @property
    def readings(self) -> pd.DataFrame:
        """One row for each strength: `phi`, `log_odds`, `answer`, and how far the clip has changed:
        `visual`, root mean square of the pixels' differences, and `changed`, the share of pixels
        that one sees change.
        """
        change = self.video - self.unedited
        return pd.DataFrame(
            {
                "phi": self.phi,
                "log_odds": self.log_odds.tolist(),
                "answer": [self.answer(odds) for odds in self.log_odds.tolist()],
                "visual": change.square().mean((1, 2, 3, 4)).sqrt().tolist(),
                "changed": (change.abs().amax(2) > SEEN).float().mean((1, 2, 3)).tolist(),
            }
        )

    def answer(self, log_odds: float) -> str:
        """The word that the VLM says, and how sure it is of it against the other."""
        share = torch.tensor(log_odds).sigmoid().item()
        word = self.concept.target if log_odds > 0 else self.concept.source
        return f"{word} {max(share, 1 - share):.0%}"

    @property
    def verdict(self) -> str:
        """In a sentence, whether the answer flips, and at what cost."""
        source, target = self.concept.source, self.concept.target
        word, instead = self.swap
        if self.flip is None:
            return (
                f"No edit from {word} to {instead} up to strength {self.phi[-1]:g} changes the"
                f" answer {source!r}: the VLM does not go by what the generator shows for these"
                " words, or the generator cannot show it in this clip."
            )
        share = float((self.difference > SEEN).float().mean())
        edit = "" if self.swap == (source, target) else f" of the edit from {word} to {instead}"
        return (
            f"From strength {self.flip.phi:.2f}{edit} on, the VLM answers {target!r} in place of"
            f" {source!r}; {share:.0%} of the pixels have visibly changed there."
        )

    def __repr__(self) -> str:
        table = self.readings.to_string(index=False, float_format="{:.2f}".format)
        return f"{self.caption}: {self.concept.question}\n{table}\n{self.verdict}"


def oriented(concept: Concept, log_odds: float) -> Concept:
    """The concept with what the VLM answers as its source."""
    if log_odds <= 0:
        return concept
    return replace(concept, source=concept.target, target=concept.source)


@torch.no_grad()
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
    generator = reader.generator
    tokens = reader.vlm.encode(clip[None].to(reader.vlm.device))
    odds = float(reader.log_odds(tokens, concept))
    concept = oriented(concept, odds)
    words = swap or (concept.source, concept.target)
    source, target = _pair(words, caption or reader.vlm.caption(tokens)[0], reader)
    minus, plus = (generator.encode_text([text]) for text in (source, target))
    z_0 = generator.encode(clip[None].to(generator.device))
    mask = places_of(generator, clip, words[0], source, seed) if where == "map" else None

    def edits(change: Condition, strengths: Sequence[float]) -> tuple[torch.Tensor, torch.Tensor]:
        z = flow_edit(generator, z_0, minus, change, strengths, editing, seed, mask)
        video = torch.cat([generator.decode(part) for part in z.split(1)]).clamp(0, 1)
        read = [reader.log_odds(reader.vlm.encode(part), concept) for part in video.split(1)]
        return video.cpu(), torch.cat(read).cpu()

    change = plus - minus
    found = dict(zip(phis, zip(*edits(change, phis), strict=True), strict=True))
    if even:
        phis = even_strengths(phis, [float(found[strength][1]) for strength in phis])
        if new := [strength for strength in phis if strength not in found]:
            found |= dict(zip(new, zip(*edits(change, new), strict=True), strict=True))
    video, log_odds = map(torch.stack, zip(*(found[strength] for strength in phis), strict=True))
    random = minus.along(random_like(change.embeddings[0], seed))
    return Counterfactual(
        concept,
        words,
        source,
        clip.cpu(),
        -abs(odds),
        phis,
        video,
        log_odds,
        _least(lambda strength: edits(change, [strength]), found),
        float(edits(random, [1.0])[1]),
        generator.fps,
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


def _pair(words: tuple[str, str], caption: str, reader: Reader) -> tuple[str, str]:
    caption = readable(reader.generator, caption)
    pair = Concept("swap", "object", *words, "").pair(caption)
    if pair is None:
        raise UserError(
            f"caption: expected one that holds {words[0]!r} or {words[1]!r}, got {caption!r}; give"
            " what the clip shows, in words, with one of these"
        )
    return pair


def otherwise(
    found: Counterfactual,
    ranked: pd.DataFrame,
    edit: Callable[[tuple[str, str]], Counterfactual],
) -> Counterfactual | None:
    """By which other words does the answer flip, where it does not by its own?

    The first of the most telling swaps, `TRIED` of them at most, whose edit flips it; None where
    none does, and where the answer's own words do.

    Args:
        ranked: swaps of the caption's words, the most telling first (`concepts.discovery`).
        edit: explains the clip by a swap.
    """
    if found.flip is not None:
        return None
    telling = ranked[ranked["moves"] > 0]
    swaps = zip(telling["word"], telling["instead"], strict=True)
    for swap in [swap for swap in swaps if swap != found.swap][:TRIED]:
        other = edit(swap)
        if other.flip is not None:
            return other
    return None


def _least(
    edit: Callable[[float], tuple[torch.Tensor, torch.Tensor]],
    known: Mapping[float, tuple[torch.Tensor, torch.Tensor]],
) -> Flip | None:
    """Bisection of the first step between known strengths in which the answer flips. Where it flips
    back in between, a flip is found, though it need not be the least.
    """
    steps = pairwise(sorted(known))
    flips = ((low, high) for low, high in steps if known[low][1] <= 0 < known[high][1])
    low, high = next(flips, (None, None))
    if low is None:
        return None
    found = Flip(high, known[high][0], float(known[high][1]))
    for _ in range(HALVINGS):
        middle = (low + found.phi) / 2
        [clip], [odds] = edit(middle)
        if odds > 0:
            found = Flip(middle, clip, float(odds))
        else:
            low = middle
    return found
