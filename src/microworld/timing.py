"""Whether a VLM's answers about the microworld need time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import pandas as pd
import torch

from microworld.attributes import WORDS
from microworld.questions import log_answers
from microworld.training.cards import HeldOut
from transporter.metrics.temporal import Readings, temporal_honesty, timeless
from transporter.support.kept import Keep, made
from transporter.vlms.base import VLM

OF_TIME = ("motion", "speed")
"""Attributes that no single frame shows."""
STILLS = (0, 4, 8, 12, 16)
"""Frames that stand alone for a clip."""


def timing(vlm: VLM, clips: HeldOut, seed: int = 0, keep: Keep = made) -> pd.DataFrame:
    """Temporal honesty of the answers about each attribute: `attribute`, `of_time` and the columns
    of `temporal_honesty`.

    `of_time` is `yes` where no single frame shows the attribute; `depends` is `no` where the answer
    does not depend on time. Clips that no word of the attribute names are left out, and attributes
    that name no clip. `keep` is asked for the answers to each version of the clips.
    """
    versions = [clips, clips.shuffled(seed), *(clips.still(frame) for frame in STILLS)]
    whole, shuffled, *stills = [
        keep(f"version-{number}", partial(log_answers, vlm, version.video))
        for number, version in enumerate(versions)
    ]
    table = []
    for name, words in WORDS.items():
        labels = [a.word(name) for a in clips.attributes]
        rows = [row for row, word in enumerate(labels) if word is not None]
        if not rows:
            continue
        frames = [_probabilities(still, name, rows) for still in stills]
        readings = Readings(
            whole=_probabilities(whole, name, rows),
            shuffled=_probabilities(shuffled, name, rows),
            still=np.stack(frames, axis=1),
            true=np.array([words.index(labels[row]) for row in rows]),
        )
        numbers = temporal_honesty(readings, seed)
        facts = {
            "attribute": name,
            "of_time": _yes(name in OF_TIME),
            "depends": _yes(not timeless(numbers)),
        }
        table.append(facts | numbers)
    return pd.DataFrame(table)


def _probabilities(
    log_answers: Mapping[str, torch.Tensor], name: str, rows: Sequence[int]
) -> np.ndarray:
    """The answers `(n, words)` about one attribute of n clips."""
    return log_answers[name].softmax(-1)[rows].cpu().numpy()


def _yes(fact: bool) -> str:
    return "yes" if fact else "no"
