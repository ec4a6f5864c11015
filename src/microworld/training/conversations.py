"""What a VLM is taught to say about clips: conversations, and the loss over them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F

from microworld.answers import Answers, certain
from microworld.attributes import WORDS
from microworld.language import DESCRIBE, EOS, PAD, QUESTIONS, caption, sampled_words
from microworld.training.families import IDS
from microworld.training.precision import half_precision
from transporter.vlms.transformers_vlm import TransformersVLM

IGNORE = -100


def conversation(
    answers: Answers, rng: np.random.Generator, first: str | None = None
) -> tuple[list[int], list[int]]:
    """Token ids and labels of a caption request or of all questions in random order.

    Answers are drawn from `answers`; a caption says the words that are certain there. `first` is
    the attribute that is asked about before all others, so that nothing but the clip can tell its
    answer.
    """
    words = sampled_words(answers, rng)
    if rng.random() < 0.35:
        prompt, answer = DESCRIBE.split(), [*caption(certain(answers)).split(), EOS]
        ids = [IDS[token] for token in prompt + answer]
        return ids, [IGNORE] * len(prompt) + ids[len(prompt) :]
    ids, labels = [], []
    for name in sorted(rng.permutation(list(WORDS)), key=lambda name: name != first):
        question = [IDS[token] for token in QUESTIONS[name].split()]
        ids += [*question, IDS[words[name]]]
        labels += [*[IGNORE] * len(question), ids[-1]]
    return ids, labels


def _padded(rows: Sequence[list[int]], value: int) -> torch.Tensor:
    longest = max(map(len, rows))
    return torch.tensor([row + [value] * (longest - len(row)) for row in rows])


def language_loss(
    vlm: TransformersVLM,
    tokens: torch.Tensor,
    answers: Sequence[Answers],
    rng: np.random.Generator,
    first: str | None = None,
) -> torch.Tensor:
    """Cross-entropy of captions and answers, one of `answers` for each of the clips with visual
    tokens `(B, N, D)`.

    `first` is the attribute that is asked about before all others.
    """
    rows, labels = zip(*(conversation(of_clip, rng, first) for of_clip in answers), strict=True)
    words = _padded(rows, IDS[PAD])
    ids = torch.cat([torch.tensor(vlm.prompt_ids("")).expand(len(words), -1), words], 1).to(
        vlm.device
    )
    # what is predicted at the prompt's last position is the first word
    with half_precision(vlm.device):
        logits = vlm.token_logits(tokens, ids, words.shape[1] + 1)[:, :-1]
    targets = _padded(labels, IGNORE).to(vlm.device)
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORE)
