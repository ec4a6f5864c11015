"""What the explained VLM, an honest one and the judge see in every clip of one subject."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd
import torch

from transporter.coupling.reader import Reader
from transporter.metrics.faithfulness import Judge
from transporter.truth.cases import Subject
from transporter.truth.controls import CLIPS_AT_ONCE, Controls
from transporter.vlms.base import VLM

READINGS = ("method", "caption", "seed", "log_odds")
TRANSFER = "log_odds_honest"


@torch.no_grad()
def read_clips(
    clips: Controls, subject: Subject, reader: Reader, honest: VLM | None, judge: Judge | None
) -> pd.DataFrame:
    """One row per method, caption and seed: the VLM's `log_odds` of the two words about the decoded
    clip, encoded again.

    With an `honest` VLM, whose eyes the planted one has, also its log-odds about the same tokens;
    with a judge, the probability of every word it knows.
    """
    tables = []
    for method, z_xi in clips.z_xi.items():
        captions = [pair[0] for pair in clips.pairs for _ in range(z_xi.shape[1])]
        seeds = list(range(z_xi.shape[1])) * len(clips.pairs)
        parts = [
            _read(z, subject, reader, honest, judge)
            for z in z_xi.flatten(0, 1).split(CLIPS_AT_ONCE)
        ]
        table = pd.concat(parts, ignore_index=True)
        tables.append(
            pd.DataFrame({"method": method, "caption": captions, "seed": seeds}).join(table)
        )
    return pd.concat(tables, ignore_index=True)


def _read(
    z_xi: torch.Tensor, subject: Subject, reader: Reader, honest: VLM | None, judge: Judge | None
) -> pd.DataFrame:
    video = reader.generator.decode(z_xi.to(reader.generator.device)).clamp(0, 1)
    tokens = reader.vlm.encode(video)
    columns = {"log_odds": reader.log_odds(tokens, subject.concept).tolist()}
    if honest is not None:
        columns[TRANSFER] = replace(reader, vlm=honest).log_odds(tokens, subject.concept).tolist()
    return pd.DataFrame(columns if judge is None else columns | _words(judge, video))


def _words(judge: Judge, video: torch.Tensor) -> dict[str, Sequence[float]]:
    """The probability of every word, a column each."""
    read = judge.probabilities(video)
    return {
        word: read[name][:, column].tolist()
        for name, words in judge.vocabulary.items()
        for column, word in enumerate(words)
    }
