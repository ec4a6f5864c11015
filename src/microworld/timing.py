"""Whether a VLM's answers about the microworld need time."""

from __future__ import annotations

import numpy as np
import pandas as pd

from microworld.attributes import WORDS
from microworld.questions import log_answers
from microworld.training.cards import HeldOut
from transporter.metrics.temporal import Readings, temporal_honesty, timeless
from transporter.vlms.base import VLM

OF_TIME = ("motion", "speed")
"""Attributes that no single frame shows."""
STILLS = (0, 4, 8, 12, 16)
"""Frames that stand alone for a clip."""


def timing(vlm: VLM, clips: HeldOut, seed: int = 0) -> pd.DataFrame:
    """Temporal honesty of the answers about each attribute: `attribute`, `of_time` and the columns
    of `temporal_honesty`.

    `of_time` is `yes` where no single frame shows the attribute; `depends` is `no` where the answer
    does not depend on time. Clips that no word of the attribute names are left out, and attributes
    that name no clip.
    """
    versions = [clips, clips.shuffled(seed), *(clips.still(frame) for frame in STILLS)]
    whole, shuffled, *stills = [log_answers(vlm, version.video) for version in versions]
    rows = []
    for name, words in WORDS.items():
        true = [a.word(name) for a in clips.attributes]
        some = [index for index, word in enumerate(true) if word is not None]
        if not some:
            continue
        readings = Readings(
            *(answers[name].softmax(-1)[some].cpu().numpy() for answers in (whole, shuffled)),
            np.stack([answers[name].softmax(-1)[some].cpu().numpy() for answers in stills], axis=1),
            np.array([words.index(true[index]) for index in some]),
        )
        row = temporal_honesty(readings, seed)
        labels = {
            "attribute": name,
            "of_time": _yes(name in OF_TIME),
            "depends": _yes(not timeless(row)),
        }
        rows.append(labels | row)
    return pd.DataFrame(rows)


def _yes(fact: bool) -> str:
    return "yes" if fact else "no"
