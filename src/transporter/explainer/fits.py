"""What a fit for a first look is made from, and what became of it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import torch

from transporter.clips.contrast import Concept
from transporter.clips.embedding import embed_latents
from transporter.clips.split import Reading
from transporter.clips.world import World
from transporter.concepts.answered import answered_pairs, edit_moves
from transporter.concepts.contexts import Contexts, gather_contexts
from transporter.concepts.edits import Edits, plan_edits, sample_edits
from transporter.concepts.settings import ASKING, BankSettings
from transporter.concepts.untold import untold_contexts
from transporter.coupling.reader import Reader
from transporter.explainer.clip_sources import Clips, captioned_clips, world_of
from transporter.generators.base import Sampling

QUICK = {"clips": 24, "steps": 30, "batch": 8}
"""A fit for a first look: clips, optimiser steps, and contexts per step, of each concept."""
EDITED = 4
"""Clips for each caption that is edited: every word of it makes several."""
AT_ONCE = 8
"""Clips that are embedded or read at once."""


@dataclass(frozen=True)
class Fit:
    """What became of some concepts, and how little went into it."""

    table: pd.DataFrame
    """One row for each concept: `answer_gap`, `separation`, `effect` and `status`, as
    `concepts.fitting.fit_bank` has them, and `contexts`, how many pairs of captions it was fitted
    on.
    """
    settings: BankSettings

    @property
    def steps(self) -> int:
        """Optimiser steps of all phases."""
        return sum(steps for _, steps in self.settings.phases)

    def __str__(self) -> str:
        how = [self.settings.objective]
        if self.settings.form == "map":
            how.append("maps")
        if self.steps:
            how.append(f"{self.steps} steps of {self.settings.batch} contexts")
        return (
            f"{', '.join(how)}\n{self.table.to_string(index=False, float_format='{:.2f}'.format)}"
        )


def quick_settings(
    settings: BankSettings, objective: str | None, concepts: int, steps: int, seed: int
) -> BankSettings:
    """How some concepts are fitted for a first look: as `settings` have it, in `steps` steps, by
    another objective if one is given.
    """
    logits = settings.logits
    untold = replace(logits.untold, steps=min(steps, logits.untold.steps))
    return replace(
        settings,
        objective=objective or settings.objective,
        steps=steps,
        batch=QUICK["batch"] * concepts,
        seed=seed,
        logits=replace(logits, steps=min(steps, logits.steps), untold=untold),
    )


@dataclass(frozen=True)
class FitSource:
    """What concepts are fitted on: models, clips, and how these are read.

    Attributes:
        clips: where clips come from.
        reading: which part of a file is read as a clip.
        known: concepts by name; their words are the ones that captions are edited in.
        seed: of a world's clips.
    """

    reader: Reader
    sampling: Sampling
    clips: World | Clips | str | os.PathLike[str]
    reading: Reading
    known: Mapping[str, Concept]
    seed: int

    def contexts(
        self, concepts: Sequence[Concept], count: int, settings: BankSettings
    ) -> dict[str, Contexts]:
        """What each concept is fitted on: its words in captions of clips, or one-word edits that
        the VLM answers differently; by `logits` captions alone where no such edit tells.
        """
        found = captioned_clips(
            concepts,
            self.clips,
            count,
            self.seed,
            self.reader.generator.video_shape,
            self.reader.generator.fps,
            self.reading,
        )
        if settings.objective in ASKING:
            return self._answered(concepts, found, count, settings)
        contexts = {}
        for concept in concepts:
            captions, videos = zip(*found[concept.name], strict=True)
            z_xi = self._latents(torch.stack(videos))
            contexts[concept.name] = gather_contexts(concept, captions, z_xi, self.reader.generator)
        return contexts

    @torch.no_grad()
    def _latents(self, videos: torch.Tensor) -> torch.Tensor:
        """E_Xi, a few clips at a time: `(n, T, C, H, W)` to `(n, c, t, h, w)`."""
        generator, parts = self.reader.generator, videos.split(AT_ONCE)
        return torch.cat([generator.encode(part.to(generator.device)) for part in parts])

    def _answered(
        self,
        concepts: Sequence[Concept],
        found: Mapping[str, Sequence[tuple[str, torch.Tensor]]],
        count: int,
        settings: BankSettings,
    ) -> dict[str, Contexts]:
        """Edits of the captions that were found, sampled, and asked about."""
        captions = [
            caption
            for concept in concepts
            for caption, _ in found[concept.name][: max(1, count // EDITED)]
        ]
        known = {**self.known} | {concept.name: concept for concept in concepts}
        world = world_of(self.clips)
        table = plan_edits(captions, list(known.values()), len(captions), world)
        with TemporaryDirectory() as folder:
            latents, reencoded = Path(folder, "latents"), Path(folder, "reencoded")
            sample_edits(table, self.reader.generator, self.sampling, settings.seed, latents)
            embed_latents(latents, self._reencoded, reencoded, AT_ONCE, len(table))
            edits = Edits.load(latents, reencoded)
        moves = {one.name: edit_moves(one, edits, self.reader) for one in concepts}
        contexts: dict[str, Contexts] = {}
        if settings.objective == "logits":
            contexts |= untold_contexts(concepts, edits, self.reader.generator, moves)
        for one in concepts:
            if one.name not in contexts:
                contexts[one.name] = answered_pairs(one, edits, self.reader, moves[one.name], world)
        return contexts

    def _reencoded(self, z_xi: torch.Tensor) -> torch.Tensor:
        return self.reader.reencoded(z_xi.to(self.reader.generator.device))
