"""Does the video change as the word says, does the VLM's answer follow, and does everything else
stay?
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
import torch

from transporter.clips.contrast import Concept, holds
from transporter.clips.world import FaultReader, Probes
from transporter.concepts.bank import ConceptBank
from transporter.coupling.reader import Reader
from transporter.generation.sweeps import Generated, full_change
from transporter.generators.condition import Condition


def probed(video: torch.Tensor, concept: Concept, probes: Probes) -> pd.DataFrame:
    """The probes' reading of clips `(B, T, C, H, W)`: `p_source`, `p_target`, one column of words
    per attribute, and `hit`, 1 where that of the concept's attribute is the target word, else 0;
    from probes that see faults also `faults`, their names with commas between, or `none`.
    """
    probabilities = probes.probabilities(video)
    columns: dict[str, Sequence] = {}
    for attribute, words in probes.vocabulary.items():
        columns[attribute] = [words[index] for index in probabilities[attribute].argmax(-1)]
        for column, word in (("p_source", concept.source), ("p_target", concept.target)):
            if word in words:
                columns[column] = probabilities[attribute][:, words.index(word)].tolist()
        if concept.target in words:
            columns["hit"] = [int(word == concept.target) for word in columns[attribute]]
    if isinstance(probes, FaultReader):
        columns["faults"] = [", ".join(names) or "none" for names in probes.faults(video)]
    return pd.DataFrame(columns)


@torch.no_grad()
def read_concept(
    generated: Generated,
    concept: Concept,
    reader: Reader,
    bank: ConceptBank,
    probes: Probes | None,
    seed: int = 0,
    batch: int = 16,
) -> pd.DataFrame:
    """Read every clip of one concept: by the VLM after decoding and encoding again, through Phi
    where the reader has it, and by the probes.

    One row per method, seed and stop, with `log_odds` and `caption_reencoded` (decoded and encoded
    again); with Phi, `log_odds_phi` and `caption_phi`; with probes, the columns of
    `probed` and `kept`. The clip at phi = 0, which all methods share, is read once.
    """
    parts = []
    # all captions before the first clip: large text encoders go then
    changed = [
        (rows, *_conditions(method, rows, concept, reader, bank, seed))
        for method, rows in generated.distinct().by_method()
    ]
    for rows, minus, change in changed:
        for start in range(0, len(rows), batch):
            part = rows.iloc[start : start + batch]
            z_xi = generated.z_xi[part["row"].tolist()].to(reader.generator.device)
            phi = torch.tensor(part["phi"].to_numpy()).to(minus.embeddings)
            condition = minus[start : start + batch] + phi * change[start : start + batch]
            parts.append(
                _read(z_xi, condition, concept, reader, probes).assign(row=part["row"].to_numpy())
            )
    keys = generated.index[["row", "method", "caption", "seed", "stop", "phi", "clip"]]
    table = keys.merge(pd.concat(parts), on="row", how="left", validate="many_to_one").drop(
        columns="row"
    )
    return table if probes is None else table.assign(kept=kept(table, concept, probes.vocabulary))


def _read(
    z_xi: torch.Tensor,
    condition: Condition,
    concept: Concept,
    reader: Reader,
    probes: Probes | None,
) -> pd.DataFrame:
    """What is read of latents `(B, c, t, h, w)` made under B conditions, a row each."""
    video = reader.generator.decode(z_xi).clamp(0, 1)
    z_reencoded = reader.vlm.encode(video)
    columns = {"log_odds": reader.log_odds(z_reencoded, concept).tolist()}
    if reader.coupling is not None:
        z_tilde = reader.through_phi(z_xi, condition, z_reencoded)
        columns["log_odds_phi"] = reader.log_odds(z_tilde, concept).tolist()
        columns["caption_phi"] = reader.vlm.caption(z_tilde)
    columns["caption_reencoded"] = reader.vlm.caption(z_reencoded)
    read = pd.DataFrame(columns)
    return read if probes is None else read.join(probed(video, concept, probes))


def _conditions(
    method: str, rows: pd.DataFrame, concept: Concept, reader: Reader, bank: ConceptBank, seed: int
) -> tuple[Condition, Condition]:
    pairs = [(caption, concept.swap(caption) or caption) for caption in rows["caption"]]
    return full_change(method, concept, pairs, reader.generator, bank, seed)


def kept(table: pd.DataFrame, concept: Concept, words: dict[str, tuple[str, ...]]) -> list[float]:
    """Per row, the share of attributes named in the caption, but not by the concept, that read as
    at phi = 0 of the same seed.

    Without a clip at phi = 0 there is no such share.
    """
    others = {name: set(values) for name, values in words.items() if concept.source not in values}
    origins = {(row["method"], row["seed"]): row for _, row in table.iterrows() if row["phi"] == 0}
    shares = []
    for _, row in table.iterrows():
        origin, named = origins.get((row["method"], row["seed"])), []
        if origin is not None:
            named = [name for name, values in others.items() if _names(row["caption"], values)]
        shares.append(
            float(np.mean([row[name] == origin[name] for name in named])) if named else float("nan")
        )
    return shares


def _names(caption: str, words: Iterable[str]) -> bool:
    return any(holds(caption, word) for word in words)


def label(readings: pd.DataFrame, concept: Concept, generator: str, vlm: str) -> pd.DataFrame:
    """Put the columns that name concept and models in front."""
    names: Iterable[tuple[str, str]] = (
        ("concept", concept.name),
        ("kind", concept.kind),
        ("generator", generator),
        ("vlm", vlm),
    )
    return pd.DataFrame(dict(names), index=readings.index).join(readings)
