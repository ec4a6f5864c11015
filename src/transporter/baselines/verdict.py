"""Does an inverted video show its target? The attacked network says so by design; another network
is asked too.
"""

from __future__ import annotations

import torch

from transporter.baselines.subjects import Subject
from transporter.contrast import Concept
from transporter.metrics.faithfulness import Judge


def verdict(
    video: torch.Tensor,
    subject: Subject,
    concept: Concept | None = None,
    judge: Judge | None = None,
) -> dict[str, float]:
    """What the attacked network and an independent judge make of a clip `(T, C, H, W)` in [0, 1].

    The attacked network's `log_prob` and `rank` of the target and whatever else `Subject.verdict`
    has; with a concept and a judge that knows its words, the judge's `p_source` and `p_target`.
    """
    own = subject.verdict(video)
    if concept is None or judge is None:
        return own
    probabilities = judge.probabilities(video[None])
    words = {
        word: probabilities[name][0, index]
        for name, list_ in judge.vocabulary.items()
        for index, word in enumerate(list_)
    }
    asked = {"p_source": concept.source, "p_target": concept.target}
    return own | {column: float(words[word]) for column, word in asked.items() if word in words}
