"""Many clips, each explained alone."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from transporter.clips.contrast import Concept
from transporter.clips.world import Probes
from transporter.explainer.counterfactual import Counterfactual
from transporter.explainer.counts import COLUMNS, INDEX, LEFT_OUT, READ, REASONS
from transporter.explainer.folder import write_explanation
from transporter.explainer.one_clip import ExplainedClip
from transporter.explainer.probed import named, read
from transporter.support.errors import UserError
from transporter.support.files import write_table, written_whole


@dataclass(frozen=True)
class Example:
    """A clip, and how to explain it.

    Attributes:
        explain: raises a `UserError` where the clip cannot be explained.
        details: as for `page`.
    """

    name: str
    explain: Callable[[], ExplainedClip]
    details: Mapping[str, str]


def pick(concept: Concept, captions: Sequence[str], count: int, seed: int) -> list[int]:
    """Rows of at most `count` captions that hold one of the words, drawn at random; each concept
    has a draw of its own.

    Raises:
        UserError: no caption holds either word.
    """
    rows = [row for row, caption in enumerate(captions) if concept.pair(caption)]
    if not rows:
        raise UserError(
            f"concept {concept.name}: expected captions with {concept.source!r} or"
            f" {concept.target!r}, found none in {len(captions)}; add clips or drop the concept"
        )
    return random.Random(f"{seed} {concept.name}").sample(rows, min(count, len(rows)))


def write_explanations(
    folder: str | os.PathLike[str], examples: Sequence[Example], probes: Probes | None
) -> pd.DataFrame:
    """Explain every example and write its folder, `00`, `01`, ..., and `INDEX`, a row for each.

    It has `COLUMNS` and, where probes read the clips, `READ`: whether the least edit reads as the
    other word, the share of the other attributes that the caption names and the edit keeps, which
    of them it does not, and what the edit that explains the answer, by these words or by others,
    changes most. `folder` appears whole or not at all.

    A clip that cannot be explained, such as one whose caption has words that the generator does not
    know, is left out, and `LEFT_OUT` tells why.
    """
    rows, left_out = [], []
    with written_whole(folder) as partial:
        partial.mkdir(parents=True)
        for example in examples:
            name = f"{len(rows):02}"
            try:
                clip = example.explain()
            except UserError as error:
                left_out.append((example.name, str(error)))
                print(f"{example.name} left out: {error}", flush=True)
                continue
            write_explanation(partial / name, clip, example.details)
            seen = {} if probes is None else read(clip.found, probes)
            if probes is not None:
                seen["named"] = named(clip.flipped, probes)
            rows.append({**row(example.name, name, clip.found, clip.other), **seen})
            print(f"{example.name}: {clip.flipped.verdict}", flush=True)
        columns = COLUMNS if probes is None else (*COLUMNS, *READ)
        table = pd.DataFrame(rows, columns=list(columns))
        write_table(table, partial / INDEX)
        write_table(pd.DataFrame(left_out, columns=list(REASONS)), partial / LEFT_OUT)
    return table


def row(
    clip: str, folder: str, found: Counterfactual, other: Counterfactual | None
) -> dict[str, object]:
    """`COLUMNS` of one clip; without a flip its strength is NaN, what has changed is that of the
    largest edit, and `by` says which other words flip the answer, if any do.
    """
    values = (
        clip,
        found.caption,
        folder,
        found.concept.source,
        found.concept.target,
        int(found.flip is not None),
        np.nan if found.flip is None else found.flip.phi,
        found.changed,
        np.nan if found.lpips is None else found.lpips,
        int(found.control_log_odds > 0),
        "" if other is None else other.edit.removeprefix("from "),
    )
    return dict(zip(COLUMNS, values, strict=True))
