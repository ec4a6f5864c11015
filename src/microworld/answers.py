"""What to answer about a clip, true or taught, and what was answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from microworld.attributes import WORDS, Attributes

if TYPE_CHECKING:
    import torch

Answers = Mapping[str, np.ndarray]
"""Attribute -> probabilities of its words `(len(WORDS[attribute]),)`, which sum to 1."""

CERTAIN = 1 - 1e-9


def true_answers(attributes: Attributes) -> Answers:
    """How well each word of every attribute fits the clip."""
    return {name: attributes.probabilities(name) for name in WORDS}


def certain(answers: Answers) -> dict[str, str | None]:
    """The word of each attribute that is certain, None in between two words; of true answers these
    are the attributes' words.
    """
    best = {name: int(probabilities.argmax()) for name, probabilities in answers.items()}
    return {
        name: WORDS[name][index] if answers[name][index] >= CERTAIN else None
        for name, index in best.items()
    }


def best_words(scores: Mapping[str, torch.Tensor]) -> list[dict[str, str]]:
    """The likeliest word of every attribute, for each of B clips: attribute -> `(B, words)`."""
    import torch  # here, for a dry run reads the table of shortcuts and needs no torch

    # attributes of (B, words) -> (B, attributes)
    best = torch.stack([scores[name].argmax(-1) for name in WORDS], dim=1)
    return [_in_words(indices) for indices in best.tolist()]


def _in_words(indices: Sequence[int]) -> dict[str, str]:
    pairs = zip(WORDS.items(), indices, strict=True)
    return {name: words[index] for (name, words), index in pairs}
