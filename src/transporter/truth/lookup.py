"""The look-up, the simplest explanation there is: ask about every one-word edit and show the best,
nothing fitted; and once more where one does not do.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from transporter.clips.caption_words import one_word_edits
from transporter.clips.contrast import Concept, Swap
from transporter.clips.world import World
from transporter.generators.base import Generator, Sampling

BEST, OWN, TWO = "best_swap", "best_swap_per_caption", "best_two_per_caption"
"""The best edit over all captions, the best of each caption's own, and this with a second one."""
ASKED = "asked"
"""What was asked about for each caption's own."""
FIRST_NOISE = 700_000
"""Of a seed's noises: no edit is shown in the noise that it was chosen in."""


@dataclass(frozen=True)
class Asked:
    """One clip of every one-word edit of some captions, those of one caption side by side."""

    captions: list[str]
    """What was edited, n rows."""
    swaps: list[Swap]
    z_xi: torch.Tensor
    """`(n, c, t, h, w)`"""

    def best(self, captions: Sequence[str], odds: Sequence[float]) -> list[tuple[str, float]]:
        """Each caption with the edit of it whose clip has the highest log-odds of all that were
        asked, `(n,)`, and these; itself where it has none.
        """
        best = {caption: (caption, -math.inf) for caption in captions}
        for caption, swap, value in zip(self.captions, self.swaps, odds, strict=True):
            if value > best[caption][1]:
                best[caption] = (swap.caption, value)
        return [best[caption] for caption in captions]


def ask(
    captions: Sequence[str],
    vocabulary: Sequence[Concept],
    generator: Generator,
    sampling: Sampling,
    world: World | None,
    seed: int = 0,
) -> Asked:
    """Sample every one-word edit of some captions, each caption's from a noise of its own."""
    rows = [
        (caption, swap, seed * 1_000_003 + FIRST_NOISE + number)
        for number, caption in enumerate(captions)
        for swap in one_word_edits(caption, vocabulary, world)
    ]
    parts = []
    for start in range(0, len(rows), sampling.batch):
        _, some, noises = zip(*rows[start : start + sampling.batch], strict=True)
        texts = generator.encode_text([swap.caption for swap in some])
        parts.append(generator.sample(texts, noises, sampling.steps, sampling.guidance).cpu())
    print(f"{len(rows)} edits of {len(captions)} captions to ask about", flush=True)
    z_xi = torch.cat(parts) if parts else torch.zeros(0)
    return Asked([row[0] for row in rows], [row[1] for row in rows], z_xi)


def best_two(
    best: Sequence[tuple[str, float]], ask_again: Callable[[list[str]], list[tuple[str, float]]]
) -> list[str]:
    """Captions with their best edits and, where the clip is not answered by the target, with the
    best edit of these on top, if its clip is answered more so.

    Args:
        best: captions and log-odds by `Asked.best`.
        ask_again: the same of the captions that it is given.
    """
    short = [caption for caption, odds in best if odds <= 0]
    further = dict(zip(short, ask_again(short), strict=True)) if short else {}
    found = []
    for caption, odds in best:
        second, more = further.get(caption, (caption, odds))
        found.append(second if more > odds else caption)
    return found


def edited(
    caption: str,
    edit: tuple[str, str] | None,
    vocabulary: Sequence[Concept],
    world: World | None,
) -> str:
    """A caption with the word of an edit (the question, and the word that comes) in place of its
    own; put in where it has none, if the world knows how. As it is where there is no edit.
    """
    for found in one_word_edits(caption, vocabulary, world):
        if (found.about, found.instead) == edit:
            return found.caption
    return caption
