"""All that is told of one clip: its edits, the words that matter, and where the new one is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
import torch

from transporter.clips.contrast import Concept, holds
from transporter.explainer.clip_edits import Where
from transporter.explainer.counterfactual import Counterfactual
from transporter.explainer.edited_word import edited_word
from transporter.explainer.flip_search import PHI, otherwise
from transporter.explainer.video_questions import VideoQuestions
from transporter.generators.wording import readable
from transporter.support.errors import UserError

TOLD = 8
"""Swaps of words that a page shows."""


@dataclass(frozen=True)
class ExplainedClip:
    """One clip explained.

    Attributes:
        found: its edits by the words of the question.
        words: every swap of the caption's words, the most telling first (`concepts.discovery`);
            None where they were not ranked, or none is of the table of concepts. Where the words of
            the question do not flip the answer, the caption is the one that `filled` gives.
        other: the edit by other words that flips the answer (`flip_search.otherwise`).
        where: `found.edited` under the map of its new word, `(T, 3, H', W')` in [0, 1], if there is
            one.
        swapped: what the first `TOLD` of `words` were read from, as the generator sees the clip in
            one step: by the caption, then by each swap, `(1 + n, T, C, H, W)` in [0, 1].
    """

    found: Counterfactual
    words: pd.DataFrame | None = None
    other: Counterfactual | None = None
    where: torch.Tensor | None = None
    swapped: torch.Tensor | None = None

    @property
    def verdict(self) -> str:
        """In a sentence or two, what was found."""
        return " ".join(one.verdict for one in (self.found, self.other) if one is not None)

    @property
    def flipped(self) -> Counterfactual:
        """The edit that flips the answer, by the question's words or by others; without one the
        former.
        """
        return self.other or self.found


def explain_clip(
    explainer: VideoQuestions,
    video: torch.Tensor,
    concept: Concept,
    caption: str | None = None,
    phi: Sequence[float] = PHI,
    seed: int = 0,
    fps: float | None = None,
    where: Where | None = None,
    rank_all: bool = True,
    for_page: bool = True,
) -> ExplainedClip:
    """Explain a clip `(T, C, H, W)` in [0, 1] at `fps` frames per second; the arguments are those
    of `Explainer.explain`.

    Args:
        rank_all: rank the words even where those of the question flip the answer.
        for_page: make what a page alone shows: where the new word is, and both clips of a swap.

    Raises:
        UserError: as `Explainer.explain`.
    """

    found = explainer.explain(video, concept, caption, phi, seed, fps=fps, where=where)
    place = edited_word(explainer.generator, found) if for_page else None
    flips = found.flip is not None
    whole = found.caption if flips else filled(explainer, video, found)
    ranked = _ranked(explainer, video, found, whole) if rank_all or not flips else None
    told = None if ranked is None or not for_page else _swapped(explainer, video, whole, ranked)
    if flips:
        return ExplainedClip(found, ranked, None, place, told)

    def edited(swap: tuple[str, str]) -> Counterfactual:
        return explainer.explain(video, concept, whole, phi, seed, swap=swap, fps=fps, where=where)

    def pairs() -> pd.DataFrame:
        return explainer.discover_pairs(video, found.concept, whole, ranked)

    other = None if ranked is None else otherwise(found, ranked, edited, pairs)
    return ExplainedClip(found, ranked, other, place, told)


def filled(explainer: VideoQuestions, video: torch.Tensor, found: Counterfactual) -> str:
    """The caption and, where it has no word that answers a question of the table of concepts, the
    VLM's answer: a word that is not there cannot give way to another. It is the caption alone if
    the generator does not know the words.
    """
    known: dict[str, list[str]] = {}
    for concept in explainer.vocabulary:
        known.setdefault(concept.question, []).extend((concept.source, concept.target))
    known.pop(found.concept.question, None)
    answers = [
        explainer.ask(video, question)
        for question, words in known.items()
        if not any(holds(found.caption, word) for word in words)
    ]
    try:
        return readable(explainer.generator, ", ".join([found.caption, *answers]))
    except UserError:
        return found.caption


def _ranked(
    explainer: VideoQuestions, video: torch.Tensor, found: Counterfactual, caption: str
) -> pd.DataFrame | None:
    """Every swap of words; None where the caption holds no word of the table."""
    try:
        return explainer.discover(video, found.concept.question, caption)[1]
    except UserError:
        return None


def _swapped(
    explainer: VideoQuestions, video: torch.Tensor, caption: str, ranked: pd.DataFrame
) -> torch.Tensor:
    """`ExplainedClip.swapped`."""
    swaps = ranked.head(TOLD)[["word", "instead"]].itertuples(index=False, name=None)
    others = [Concept("swap", "object", *swap, "").swap(caption) or caption for swap in swaps]
    return explainer.pictured(video, [caption, *others])
