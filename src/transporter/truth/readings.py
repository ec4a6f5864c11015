"""What the explained VLM, an honest one and the probes see in every clip of one case."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd
import torch

from transporter.clips.world import Probes
from transporter.coupling.reader import Reader
from transporter.truth.cases import Case
from transporter.truth.controls import CLIPS_AT_ONCE, ORIGIN, Controls
from transporter.truth.lookup import ASKED, Asked
from transporter.truth.noise import NOISE, noised
from transporter.vlms.base import VLM

READINGS = ("method", "caption", "seed", "log_odds")
TRANSFER = "log_odds_honest"
CUE = "cue_shown"
"""How sure it is that a clip shows a cue that no word says."""


@torch.no_grad()
def read_clips(
    clips: Controls, case: Case, reader: Reader, honest: VLM | None, probes: Probes | None
) -> pd.DataFrame:
    """One row per method, caption and seed: the VLM's `log_odds` of the two words about the decoded
    clip, encoded again.

    With an `honest` VLM, whose eyes the planted one has, also its log-odds about the same tokens;
    with probes, the probability of every word it knows; `CUE` where pixels alone tell it.
    """
    tables = []
    for method, z_xi in clips.z_xi.items():
        captions = [pair[0] for pair in clips.pairs for _ in range(z_xi.shape[1])]
        seeds = list(range(z_xi.shape[1])) * len(clips.pairs)
        parts = [
            _read(z, case, reader, honest, probes) for z in z_xi.flatten(0, 1).split(CLIPS_AT_ONCE)
        ]
        table = pd.concat(parts, ignore_index=True)
        tables.append(
            pd.DataFrame({"method": method, "caption": captions, "seed": seeds}).join(table)
        )
    return pd.concat(tables, ignore_index=True)


def read_noised(
    clips: Controls, case: Case, reader: Reader, honest: VLM | None, probes: Probes | None
) -> pd.DataFrame:
    """As `read_clips`, of the clips at phi = 0 under noise that flips the answer (`noise`)."""
    [count, seeds] = clips.z_xi[ORIGIN].shape[:2]
    tables = []
    for z_xi in clips.z_xi[ORIGIN].flatten(0, 1).split(CLIPS_AT_ONCE):
        with torch.no_grad():
            video = reader.generator.decode(z_xi.to(reader.generator.device)).clamp(0, 1)
        changed = noised(video, case.concept, reader)
        with torch.no_grad():
            tables.append(read_video(changed, case, reader, honest, probes))
    captions = [pair[0] for pair in clips.pairs for _ in range(seeds)]
    names = {"method": NOISE, "caption": captions, "seed": [*range(seeds)] * count}
    return pd.DataFrame(names).join(pd.concat(tables, ignore_index=True))


@torch.no_grad()
def read_asked(
    asked: Asked, case: Case, reader: Reader, honest: VLM | None, probes: Probes | None
) -> pd.DataFrame:
    """As `read_clips`, one row per one-word edit that was asked about; its `seed` is a number."""
    if not asked.captions:
        return pd.DataFrame()
    parts = [_read(z, case, reader, honest, probes) for z in asked.z_xi.split(CLIPS_AT_ONCE)]
    table = pd.concat(parts, ignore_index=True)
    names = {"method": ASKED, "caption": asked.captions, "seed": range(len(table))}
    return pd.DataFrame(names).join(table)


def _read(
    z_xi: torch.Tensor, case: Case, reader: Reader, honest: VLM | None, probes: Probes | None
) -> pd.DataFrame:
    video = reader.generator.decode(z_xi.to(reader.generator.device)).clamp(0, 1)
    return read_video(video, case, reader, honest, probes)


def read_video(
    video: torch.Tensor, case: Case, reader: Reader, honest: VLM | None, probes: Probes | None
) -> pd.DataFrame:
    """The numbers of `read_clips` about clips `(B, T, C, H, W)` in [0, 1], B rows."""
    tokens = reader.vlm.encode(video)
    columns = {"log_odds": reader.log_odds(tokens, case.concept).tolist()}
    if honest is not None:
        columns[TRANSFER] = replace(reader, vlm=honest).log_odds(tokens, case.concept).tolist()
    if (shown := case.shows(video)) is not None:
        columns[CUE] = shown.tolist()
    return pd.DataFrame(columns if probes is None else columns | _words(probes, video))


def _words(probes: Probes, video: torch.Tensor) -> dict[str, Sequence[float]]:
    """The probability of every word, a column each."""
    read = probes.probabilities(video)
    return {
        word: read[name][:, column].tolist()
        for name, words in probes.vocabulary.items()
        for column, word in enumerate(words)
    }
