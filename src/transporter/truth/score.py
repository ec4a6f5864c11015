"""Anybody's explanation of a VLM whose truth is known, scored as the benchmark scores its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pandas as pd
import torch

from transporter.clips.world import Probes
from transporter.coupling.reader import Reader
from transporter.support.errors import UserError
from transporter.truth.cases import Case
from transporter.truth.controls import CLIPS_AT_ONCE, ORIGIN, RANDOM
from transporter.truth.lookup import ASKED
from transporter.truth.readings import read_video
from transporter.truth.table import LEVEL, verdict_table
from transporter.vlms.base import VLM

BESIDE = (ORIGIN, RANDOM, ASKED)
"""Readings that a method's clips are set against."""


@dataclass(frozen=True)
class OpenCase:
    """A VLM's choice between two words, clips that it answers by the source, and what judges the
    clips that a method makes of them.
    """

    case: Case
    reader: Reader
    """The generator that made the clips, and the VLM that is to be explained."""
    z_xi: torch.Tensor
    """Latents of n clips, `(n, c, t, h, w)`."""
    readings: pd.DataFrame
    """What was read of these clips (`origin`, n rows in their order) and of other changes of their
    captions (`random`, `asked`).
    """
    honest: VLM | None = None
    probes: Probes | None = None
    natural: Mapping[str, float] | None = None
    """How much the probes' attributes vary by themselves (`change.natural_variation`)."""

    @property
    def vlm(self) -> VLM:
        return self.reader.vlm

    @property
    def captions(self) -> list[str]:
        """What each of the n clips was made from."""
        return self.readings.loc[self.readings["method"] == ORIGIN, "caption"].tolist()


Method = Callable[[torch.Tensor, OpenCase], torch.Tensor]
"""Clips `(B, T, C, H, W)` in [0, 1] that the VLM answers by the source, and the case that they are
of, to as many clips that shall show what would make it say the target.
"""


@torch.no_grad()
def score(method: Method, case: OpenCase, level: float = LEVEL) -> pd.Series:
    """The row of `table.verdict_table` that a method gets: `flips`, `chance`, `named`, `margin` and
    the rest, and `true`, whether it names the attributes that the VLM goes by.

    It is shown all clips at once, may ask `case.vlm` anything and use gradients.

    Raises:
        UserError: it gives no clips of the shape that it was given.
    """
    parts = case.z_xi.split(CLIPS_AT_ONCE)
    generator = case.reader.generator
    clips = torch.cat([generator.decode(z.to(generator.device)).clamp(0, 1) for z in parts])
    with torch.enable_grad():
        changed = method(clips.clone(), case)
    if not isinstance(changed, torch.Tensor) or changed.shape != clips.shape:
        got = tuple(changed.shape) if isinstance(changed, torch.Tensor) else type(changed).__name__
        raise UserError(f"score: expected clips {tuple(clips.shape)} of the method, got {got}")
    judges = (case.case, case.reader, case.honest, case.probes)
    changed = changed.detach().clamp(0, 1)
    read = [read_video(part, *judges) for part in changed.split(CLIPS_AT_ONCE)]
    origin = case.readings[case.readings["method"] == ORIGIN]
    own = origin[["caption", "seed"]].reset_index(drop=True).assign(method="own")
    own = own.join(pd.concat(read, ignore_index=True))
    beside = case.readings[case.readings["method"].isin(BESIDE)]
    beside = beside[[name for name in beside if name in own or name == "method"]]
    words = case.probes.vocabulary if case.probes and case.natural else {}
    whole = pd.concat([beside, own], ignore_index=True)
    table = verdict_table(whole, case.case, case.natural or {}, words, level)
    row = table.set_index("method").loc["own"].copy()
    if "named" in row and row["cue"]:
        row["true"] = row["named"] == row["cue"]
    return row
