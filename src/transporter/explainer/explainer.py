"""The method as one object: a generator, a VLM, the coupling between them and a bank of concepts.

For a person with a notebook or a script of a few lines. It adds nothing to the method: vectors are
fitted, clips are generated and read by the same calls as in the pipeline's jobs.
"""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from contextlib import nullcontext, redirect_stdout
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from transporter.clips.contrast import Concept
from transporter.clips.split import FROM_THE_START, Reading
from transporter.clips.world import World
from transporter.concepts.bank import ConceptBank
from transporter.concepts.discovery import PAIRS, Look
from transporter.concepts.fitting import fit_bank
from transporter.concepts.settings import BankSettings
from transporter.coupling.network import Coupling
from transporter.explainer.by_place import acting_words, generate_by_place
from transporter.explainer.clip_edits import Where
from transporter.explainer.clip_sources import Clips
from transporter.explainer.explanation import Explanation
from transporter.explainer.fits import QUICK, Fit, FitSource, quick_settings
from transporter.explainer.names import fitted_concept
from transporter.explainer.pretrained import loaded_bank, pretrained
from transporter.explainer.reading import read_sweep
from transporter.explainer.video_questions import VideoQuestions
from transporter.generation.sweeps import generate
from transporter.generators.base import Generator, Sampling
from transporter.generators.modulation import WHOLE
from transporter.generators.wording import readable
from transporter.support.errors import UserError
from transporter.vlms.base import VLM

if TYPE_CHECKING:
    from transporter.metrics.perceptual import VideoLPIPS


@dataclass(repr=False)
class Explainer(VideoQuestions):
    """Explains a VLM's words by videos of a generator.

    >>> explainer = Explainer.from_pretrained()  # doctest: +SKIP
    >>> explainer.fit("day_night")  # doctest: +SKIP
    >>> caption = "a red circle moves left on grass during the day"
    >>> explainer.sweep(caption, "day_night").show()  # doctest: +SKIP
    """

    generator: Generator
    vlm: VLM
    sampling: Sampling
    coupling: Coupling | None = None
    """Phi; without it the VLM reads clips decoded and encoded again."""
    bank: ConceptBank = field(default_factory=lambda: ConceptBank({}))
    concepts: dict[str, Concept] = field(default_factory=dict)
    """Those that can be asked for by name; `fit` adds others."""
    words: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Words by what they are about, of a world that knows all of its own."""
    settings: BankSettings = field(default_factory=BankSettings)
    """How a run would fit the bank."""
    clips: World | Path | list[tuple[str, Path]] | None = None
    """Where clips to fit on come from if `fit` is given none: a world that renders them, a folder
    that holds `captions.tsv` and `clips/`, or captions and files.
    """
    reading: Reading = FROM_THE_START
    """Which part of a file is read as a clip."""
    lpips: VideoLPIPS | None = None
    """What measures how far edits lie from their clips; None leaves it out."""
    draws: int = Look.draws
    """Noises that each swap of words is looked at in, to rank the words."""
    pairs: int = PAIRS
    """Pairs of swaps that are looked at where no swap alone flips the answer."""

    @classmethod
    def from_pretrained(
        cls,
        settings: str | os.PathLike[str] | None = None,
        generator: str | None = None,
        vlm: str | None = None,
        weights: str | os.PathLike[str] | None = None,
        device: torch.device | None = None,
    ) -> Explainer:
        """Load the models that a file of settings describes, and what a run has made of them: the
        coupling network and the bank of concepts, if they are there.

        Args:
            settings: a file as `config/config.yaml`, which is the default: the embedded models.
            generator, vlm: names in the settings; by default the first that run.
            weights: other weights of the VLM, a planted one's for instance; the run's coupling
                network and bank are then left out, since they are of the VLM in the settings.
            device: by default the fastest that is there.

        Raises:
            UserError: the settings are missing or wrong, or name no such model.
        """
        return cls(**pretrained(settings, generator, vlm, weights, device))

    def __repr__(self) -> str:
        generator, vlm = type(self.generator).__name__, type(self.vlm).__name__
        phi = "without Phi" if self.coupling is None else "with Phi"
        bank = ", ".join(self.bank.vectors) or "empty"
        return f"Explainer({generator}, {vlm}, {phi}, bank: {bank})"

    def load_bank(self, path: str | os.PathLike[str]) -> None:
        """Take the vectors of a saved bank beside those that are there; equal names are replaced.

        Raises:
            UserError: no such file, or a bank of another generator.
        """
        loaded = loaded_bank(path, self.generator)
        self.bank = ConceptBank(self.bank.vectors | loaded.vectors, loaded.settings)

    def fit(
        self,
        *concepts: Concept | str,
        clips: Clips | str | os.PathLike[str] | None = None,
        count: int = QUICK["clips"],
        steps: int = QUICK["steps"],
        objective: str | None = None,
        seed: int = 0,
        verbose: bool = True,
    ) -> Fit:
        """Fit concepts and put their vectors into the bank: by default a quick fit.

        It is for a first look: a few clips, and a few steps where vectors are fitted; a run takes
        1200 clips, and compares the result with controls. The table tells how far it got. For more,
        raise `count` and `steps` (a run takes `explainer.settings.steps`).

        Args:
            concepts: contrast pairs, or names of `explainer.concepts`.
            clips: captions and clips `(T, C, H, W)` in [0, 1], or a folder that holds
                `captions.tsv` and `clips/`; by default those of the settings. Captions without
                the concept's words are passed over.
            count: clips for each concept; with an objective that asks the VLM, a quarter as many
                captions are edited in every word, and the generator makes a clip of each.
            objective: `velocity` is the paper's and shows the generator's reading of the words;
                `answers` and `logits` show what moves the VLM's answer. By default that of the
                settings.
            seed: of all that is drawn.
            verbose: print how far the vectors are.

        Raises:
            UserError: an unknown name, or clips that hold none of the words.
        """
        chosen = [self._concept(concept) for concept in concepts]
        if not chosen or count < 1 or steps < 1:
            raise UserError(
                "fit: expected at least one concept, clip and step, got"
                f" {len(chosen)} concepts, {count} clips, {steps} steps"
            )
        settings = quick_settings(self.settings, objective, len(chosen), steps, seed)
        with nullcontext() if verbose else redirect_stdout(io.StringIO()):
            contexts = self._fit_source(clips).contexts(chosen, count, settings)
            made, table = fit_bank(chosen, contexts, self.reader, settings)
        self.concepts |= {concept.name: concept for concept in chosen}
        fits = self.bank.settings.get("fits", {}) | dict.fromkeys(made.vectors, asdict(settings))
        vectors = self.bank.vectors | made.vectors
        self.bank = ConceptBank(vectors, self.bank.settings | {"fits": fits})
        counts = [len(contexts[concept.name]) for concept in chosen]
        return Fit(table.assign(contexts=counts), settings)

    def sweep(
        self,
        caption: str,
        concept: Concept | str,
        phi: Sequence[float] = (0.0, 0.25, 0.5, 0.75, 1.0),
        seed: int = 0,
        steps: tuple[float, float] = WHOLE,
        frames: tuple[float, float] = WHOLE,
    ) -> Explanation:
        """Clips of one caption from one noise at several strengths of a concept, and the VLM's
        answers to the concept's question.

        Args:
            caption: what the clips show. If it holds the concept's target word, the source word
                takes its place, for phi = 0 is the source.
            phi: strengths; 0 is the source, 1 the target, beyond is allowed.
            seed: of the noise.
            steps, frames: the shares of sampling steps and latent frames in which the concept acts.

        Raises:
            UserError: a concept that is not in the bank, a word that the generator does not know,
                or a strength that is no number or stands there twice.
        """
        concept = fitted_concept(concept, self.concepts, self.bank)
        return read_sweep(
            self.reader, self.bank, self.sampling, concept, caption, phi, seed, steps, frames
        )

    def generate(
        self,
        caption: str,
        strengths: Mapping[str, float] | None = None,
        seed: int = 0,
        where: Where | None = None,
    ) -> torch.Tensor:
        """One video `(T, C, H, W)` in [0, 1] with several concepts at once, by name.

        Args:
            where: `map`, to let concepts act only where the generator sees their words in the clip
                without them; by default they act everywhere.

        Raises:
            UserError: a concept that is not in the bank, or a word that the generator does not
                know; with a map, a caption that holds neither word of a concept.
        """
        caption = readable(self.generator, caption)
        asked = (caption, strengths or {}, seed, self.sampling)
        if where and strengths:
            words = acting_words(self.concepts, strengths, caption)
            video = generate_by_place(self.generator, self.bank, words, *asked)
        else:
            video = generate(self.generator, self.bank, *asked)
        return video.cpu()

    def _fit_source(self, clips: Clips | str | os.PathLike[str] | None) -> FitSource:
        """What is fitted on `clips`, by default those of the settings."""
        source = self.clips if clips is None else clips
        if source is None:
            raise UserError("fit: expected clips to fit on, got none; give them by `clips`")
        return FitSource(
            self.reader, self.sampling, source, self.reading, self.concepts, self.settings.seed
        )
