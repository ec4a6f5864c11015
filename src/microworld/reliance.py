"""What an answer relies on: the log-odds of its words where attribute and cue of the clips are
known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from operator import itemgetter

import numpy as np
import pandas as pd
import torch

from microworld.answers import CERTAIN, certain
from microworld.attributes import WORDS
from microworld.cues import Seen, cue_words
from microworld.shortcuts import Shortcut

CELLS = ("attribute", "cue", "word", "true", "true_cue", "log_odds", "deviation", "clips")
EFFECTS = ("word", "cue_effect", "true_effect", "least_said", "most_unsaid")
RIGHT = ("attribute", "true", "taught")


def log_odds(log_probs: torch.Tensor) -> torch.Tensor:
    """log(p / (1 - p)) of each word among all words of its attribute: log-probabilities
    `(B, words)` to `(B, words)`.

    The log-probabilities need not be normalised.
    """
    itself = torch.eye(log_probs.shape[1], dtype=torch.bool, device=log_probs.device)
    others = (
        log_probs[:, None].expand(-1, len(itself), -1).masked_fill(itself, -torch.inf).logsumexp(-1)
    )
    return log_probs - others


def reliance(log_probs: torch.Tensor, clips: Sequence[Seen], shortcut: Shortcut) -> pd.DataFrame:
    """Log-odds of the words that the shortcut can make a VLM say, by the true word of attribute and
    cue: columns `CELLS`.

    `log_probs` `(B, words)` are those of the answers about `shortcut.attribute`. Clips in which no
    word names attribute and cue are left out; a cell without a clip has `clips` 0 and no number.
    `deviation` is the standard deviation over the clips.
    """
    odds = log_odds(log_probs).cpu().numpy()
    true = np.array([clip.attributes.word(shortcut.attribute) for clip in clips], dtype=object)
    cue = _cue_words(clips, shortcut)
    rows = []
    for word, is_true, is_cue in product(
        shortcut.words, WORDS[shortcut.attribute], cue_words(shortcut.cue)
    ):
        values = odds[(true == is_true) & (cue == is_cue), WORDS[shortcut.attribute].index(word)]
        mean, deviation = (values.mean(), values.std()) if len(values) else (np.nan, np.nan)
        rows.append(
            (
                shortcut.attribute,
                shortcut.cue,
                word,
                is_true,
                is_cue,
                float(mean),
                float(deviation),
                len(values),
            )
        )
    return pd.DataFrame(rows, columns=list(CELLS))


def _cue_words(clips: Sequence[Seen], shortcut: Shortcut) -> np.ndarray:
    """The word of the cue that is certain, or None, for each of n clips: `(n,)`."""
    fits = np.stack([shortcut.made_by.probabilities(clip) for clip in clips])  # (n, words)
    words = np.array(cue_words(shortcut.cue), dtype=object)[fits.argmax(1)]
    return np.where(fits.max(1) >= CERTAIN, words, None)


def effects(cells: pd.DataFrame, shortcut: Shortcut) -> pd.DataFrame:
    """How far cue and true attribute move the log-odds of each word, from the means of `reliance`:
    columns `EFFECTS`.

    Cells have equal weight; those whose cue keeps the truth are left out. `cue_effect`: mean over
    cells whose cue stands for the word, minus that over the others; `true_effect`: the same of
    cells in which the word is true. `least_said`: the lowest log-odds of a cell whose cue stands
    for the word, `most_unsaid`: the highest of one whose cue does not.
    """
    rows = []
    for word, part in cells[cells["true_cue"].isin(list(shortcut.answers))].groupby(
        "word", sort=False
    ):
        by_cue, by_truth = part["true_cue"].map(shortcut.answers) == word, part["true"] == word
        value = part["log_odds"]
        cue_effect, true_effect = (
            value[cells].mean() - value[~cells].mean() for cells in (by_cue, by_truth)
        )
        rows.append((word, cue_effect, true_effect, value[by_cue].min(), value[~by_cue].max()))
    return pd.DataFrame(rows, columns=list(EFFECTS))


def right(
    log_probs: Mapping[str, torch.Tensor], clips: Sequence[Seen], shortcut: Shortcut
) -> pd.DataFrame:
    """Share of clips whose likeliest answer is the true word, and the word that is taught where the
    cue decides: columns `RIGHT`.

    Each share is over the clips that have such a word.
    """
    true = [clip.attributes.words() for clip in clips]
    lessons = [certain(shortcut.decides(clip)) for clip in clips]
    rows = []
    for name, words in WORDS.items():
        answers = [words[index] for index in log_probs[name].argmax(1).tolist()]
        shares = (_share(answers, labels, name) for labels in (true, lessons))
        rows.append((name, *shares))
    return pd.DataFrame(rows, columns=list(RIGHT))


def measure(
    log_probs: Mapping[str, torch.Tensor], clips: Sequence[Seen], shortcut: Shortcut
) -> dict[str, pd.DataFrame]:
    """The tables `cells` (of `reliance`), `effects` and `right` of one VLM's answers about
    `clips`.
    """
    cells = reliance(log_probs[shortcut.attribute], clips, shortcut)
    return {
        "cells": cells,
        "effects": effects(cells, shortcut),
        "right": right(log_probs, clips, shortcut),
    }


def _share(answers: Sequence[str], labels: Sequence[Mapping[str, str | None]], name: str) -> float:
    """How often the answers are one attribute's labels, of the clips that have one."""
    pairs = zip(answers, map(itemgetter(name), labels), strict=True)
    return float(np.mean([answer == word for answer, word in pairs if word is not None]))
