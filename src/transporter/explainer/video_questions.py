"""What can be asked about one video; nothing is fitted."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import pandas as pd
import torch

from transporter.clips.contrast import Concept
from transporter.clips.split import Reading
from transporter.concepts.discovery import Look, answered, discover, discover_pairs, pictured
from transporter.concepts.edits import widened
from transporter.coupling.network import Coupling
from transporter.coupling.reader import Reader
from transporter.explainer.clip_edits import ClipEdits, Where
from transporter.explainer.clip_sources import as_clip
from transporter.explainer.counterfactual import Counterfactual
from transporter.explainer.flip_search import PHI, explain
from transporter.explainer.location import Location, locate
from transporter.explainer.names import known_concept
from transporter.explainer.speed import refuse_speed, refuse_spread
from transporter.explainer.visual import measured
from transporter.generation.editing import Editing
from transporter.generators.base import Generator, Sampling
from transporter.vlms.base import VLM

if TYPE_CHECKING:
    from transporter.metrics.perceptual import VideoLPIPS


class VideoQuestions:
    """The half of an `Explainer` that takes videos. The fields are the `Explainer`'s."""

    generator: Generator
    vlm: VLM
    sampling: Sampling
    coupling: Coupling | None
    concepts: dict[str, Concept]
    words: Mapping[str, Sequence[str]]
    reading: Reading
    lpips: VideoLPIPS | None
    draws: int
    pairs: int

    @property
    def reader(self) -> Reader:
        """How the VLM reads latents."""
        return Reader(self.generator, self.vlm, self.coupling)

    @property
    def vocabulary(self) -> list[Concept]:
        """Words and others that may stand in their place: those of the concepts, and of a world."""
        return widened(list(self.concepts.values()), self.words)

    @torch.no_grad()
    def ask(
        self, video: torch.Tensor | str | os.PathLike[str], question: str | Concept | None = None
    ) -> str:
        """What the VLM answers about a video, a file or `(T, C, H, W)` in [0, 1].

        Among the words that are known to answer that question the likeliest, else what it says
        freely; without a question it describes the video.
        """
        tokens = self.vlm.encode(self._clip(video)[None].to(self.vlm.device))
        if question is None:
            return self.vlm.caption(tokens)[0]
        if isinstance(question, Concept):
            return answered(self.vlm, tokens, question.question, [question])
        return answered(self.vlm, tokens, question, self.vocabulary)

    def discover(
        self,
        video: torch.Tensor | str | os.PathLike[str],
        question: str,
        caption: str | None = None,
    ) -> tuple[str, pd.DataFrame]:
        """The VLM's answer about a video, and the words whose smallest visual change moves it most,
        as `concepts.discovery.discover` has it; nothing is fitted.
        """
        return discover(
            self._clip(video),
            question,
            self.vlm,
            self.generator,
            self.vocabulary,
            caption,
            self._look,
        )

    def discover_pairs(
        self,
        video: torch.Tensor | str | os.PathLike[str],
        concept: Concept,
        caption: str,
        ranked: pd.DataFrame,
    ) -> pd.DataFrame:
        """The same of two swaps at once, for a VLM that answers by the concept's source, as
        `concepts.discovery.discover_pairs` has it; in a quarter of the noises, since they are many.
        """
        look = replace(self._look, draws=max(1, self.draws // 4))
        asked = (concept.question, concept.source, self.vlm, self.generator)
        return discover_pairs(self._clip(video), *asked, caption, ranked, look, self.pairs)

    @property
    def _look(self) -> Look:
        return Look(self.draws, guidance=self.sampling.guidance)

    def pictured(self, video: torch.Tensor, captions: Sequence[str]) -> torch.Tensor:
        """What `discover` reads of a clip under captions, as `concepts.discovery.pictured`."""
        return pictured(video, captions, self.generator, self._look)

    def locate(
        self, video: torch.Tensor | str | os.PathLike[str], word: str, caption: str | None = None
    ) -> Location:
        """Where and when a word is in a video, by the generator's attention; see
        `explainer.location.locate`. `caption` says what it shows, by default in the VLM's words.
        """
        clip = self._clip(video)
        if caption is None:
            caption = self.vlm.caption(self.vlm.encode(clip[None].to(self.generator.device)))[0]
        return locate(self.generator, clip, word, caption)

    def explain(
        self,
        video: torch.Tensor | str | os.PathLike[str],
        concept: Concept | str,
        caption: str | None = None,
        phi: Sequence[float] = PHI,
        seed: int = 0,
        editing: Editing | None = None,
        swap: tuple[str, str] | None = None,
        fps: float | None = None,
        where: Where | None = None,
    ) -> Counterfactual:
        """The VLM's answer about a video, a file or `(T, C, H, W)` in [0, 1] at `fps` frames per
        second, and the video edited until the answer flips, as `explainer.flip_search.explain` has
        it; nothing is fitted.

        Raises:
            UserError: as there; or the question is about speed, and the rate is not known.
        """
        asked = self._concept(concept)
        clip = self._timed(video, asked, fps)
        editing = self._editing(editing)
        found = explain(clip, asked, self.reader, caption, phi, editing, seed, True, swap, where)
        return measured(found, self.lpips)

    def edits(
        self,
        video: torch.Tensor | str | os.PathLike[str],
        concept: Concept | str,
        caption: str | None = None,
        seed: int = 0,
        editing: Editing | None = None,
        swap: tuple[str, str] | None = None,
        fps: float | None = None,
    ) -> ClipEdits:
        """As `explain`, without the search: what edits the video at strengths to come."""
        asked = self._concept(concept)
        clip = self._timed(video, asked, fps)
        editing = self._editing(editing)
        return ClipEdits.of(clip, asked, self.reader, caption, editing, seed, swap)

    def _editing(self, editing: Editing | None) -> Editing:
        sampling = self.sampling
        return editing or Editing(steps=sampling.steps, target_guidance=sampling.guidance)

    def _clip(
        self, video: torch.Tensor | str | os.PathLike[str], rate: float | None = None
    ) -> torch.Tensor:
        """As the models take it."""
        shape, fps = self.generator.video_shape, self.generator.fps
        return as_clip(video, shape, fps, self.reading, rate)

    def _timed(
        self, video: torch.Tensor | str | os.PathLike[str], asked: Concept, rate: float | None
    ) -> torch.Tensor:
        """As the models take it, if the question can be asked of it."""
        frames, fps = self.generator.video_shape[0], self.generator.fps
        if isinstance(video, torch.Tensor):
            if rate is None:
                refuse_speed(asked, fps, "frames alone; tell their rate by `fps`")
        else:
            refuse_spread(asked, self.reading.window, frames, fps)
        return self._clip(video, rate)

    def _concept(self, concept: Concept | str) -> Concept:
        return known_concept(concept, self.concepts)
