"""What to answer about a clip, true or taught."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from microworld.attributes import WORDS, Attributes

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
