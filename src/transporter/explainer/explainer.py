"""The method as one object: a generator, a VLM, the coupling between them and a bank of concepts.

For a person with a notebook or a script of a few lines. It adds nothing to the method: vectors are
fitted, clips are generated and read by the same calls as in the pipeline's jobs.
"""

from __future__ import annotations

import io
import math
import os
from collections.abc import Mapping, Sequence
from contextlib import nullcontext, redirect_stdout
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import torch

from transporter.clips.contrast import Concept
from transporter.clips.embeddings import embed_latents
from transporter.clips.split import FROM_THE_START, Reading
from transporter.clips.world import World
from transporter.concepts.bank import ConceptBank
from transporter.concepts.contexts import Contexts, gather_contexts
from transporter.concepts.discovery import Look, answered, discover
from transporter.concepts.edits import Edits, answered_pairs, plan_edits, sample_edits
from transporter.concepts.fitting import fit_bank
from transporter.concepts.settings import ASKING, CLOSED_FORM, BankSettings
from transporter.coupling.network import Coupling
from transporter.coupling.reader import Reader
from transporter.explainer.clip_sources import Clips, as_clip, captioned_clips
from transporter.explainer.counterfactual import PHI, Counterfactual, explain
from transporter.explainer.explanation import Explanation
from transporter.generation.editing import Editing
from transporter.generation.sweeps import full_change, generate, sweep
from transporter.generators.base import Generator, Sampling
from transporter.generators.modulation import WHOLE
from transporter.generators.wording import readable
from transporter.pipeline.loading import load_generator, load_vlm
from transporter.pipeline.project import Project, nearest
from transporter.pipeline.world import load_world
from transporter.support.errors import UserError
from transporter.vlms.base import VLM

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
        steps = f"{self.steps} steps of {self.settings.batch} contexts"
        how = f"{self.settings.objective}, {'maps' if self.settings.form == 'map' else steps}"
        return f"{how}\n{self.table.to_string(index=False, float_format='{:.2f}'.format)}"


@dataclass(repr=False)
class Explainer:
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
    settings: BankSettings = field(default_factory=BankSettings)
    """How a run would fit the bank."""
    clips: World | Path | None = None
    """Where clips to fit on come from if `fit` is given none: a world that renders them, or a
    folder that holds `captions.tsv` and `clips/`.
    """
    reading: Reading = FROM_THE_START
    """Which part of a file is read as a clip."""

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
        project = Project.open(settings)
        names = project.chosen("generators", generator), project.chosen("vlms", vlm)
        model, subject = project.model("generators", names[0]), project.model("vlms", names[1])
        if weights is not None and not Path(weights).is_dir():
            raise UserError(
                f"weights: expected a model's folder, got {weights}, which is not there"
            )
        made = load_generator(model, device)
        given, clips = project.settings, project.settings["clips"]
        explainer = cls(
            made,
            load_vlm(
                subject if weights is None else subject | {"path": os.fspath(weights)},
                made.video_shape,
                device,
                made.fps,
            ),
            Sampling(model["steps"], model["guidance"]),
            concepts=project.concepts(),
            settings=BankSettings.from_mapping(given["bank"], given["seed"]),
            clips=(
                load_world(given["world"])
                if clips["source"] == "world"
                else project.root / clips["folder"]
            ),
            reading=Reading.of_settings(clips),
        )
        if weights is None and project.coupling(*names).is_file():
            coupling = Coupling.load(project.coupling(*names), made.device)
            explainer.coupling = coupling.variant(output=given["coupling"]["output"])
        if weights is None and project.bank(*names).is_file():
            explainer.load_bank(project.bank(*names))
        return explainer

    def __repr__(self) -> str:
        generator, vlm = type(self.generator).__name__, type(self.vlm).__name__
        phi = "without Phi" if self.coupling is None else "with Phi"
        bank = ", ".join(self.bank.vectors) or "empty"
        return f"Explainer({generator}, {vlm}, {phi}, bank: {bank})"

    @property
    def reader(self) -> Reader:
        """How the VLM reads latents."""
        return Reader(self.generator, self.vlm, self.coupling)

    def load_bank(self, path: str | os.PathLike[str]) -> None:
        """Take the vectors of a saved bank beside those that are there; equal names are replaced.

        Raises:
            UserError: no such file, or a bank of another generator.
        """
        loaded = ConceptBank.load(path, self.generator.device)
        loaded.check(self.generator.condition_shape, path)
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
                settings. Where a gradient alone leads, a vector is fitted, not a map.
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
        objective = objective or self.settings.objective
        settings = replace(
            self.settings,
            objective=objective,
            form=self.settings.form if objective in CLOSED_FORM else "vector",
            steps=steps,
            batch=QUICK["batch"] * len(chosen),
            seed=seed,
            logits=replace(self.settings.logits, steps=min(steps, self.settings.logits.steps)),
        )
        with nullcontext() if verbose else redirect_stdout(io.StringIO()):
            contexts = self._contexts(chosen, clips, count, settings)
            made, table = fit_bank(chosen, contexts, self.reader, settings)
        self.concepts |= {concept.name: concept for concept in chosen}
        fits = self.bank.settings.get("fits", {}) | dict.fromkeys(made.vectors, asdict(settings))
        self.bank = ConceptBank(
            self.bank.vectors | made.vectors, self.bank.settings | {"fits": fits}
        )
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
        concept = self._fitted(concept)
        phis = tuple(sorted(float(value) for value in phi))
        if not phis or len(set(phis)) < len(phis) or not all(map(math.isfinite, phis)):
            raise UserError(f"phi: expected different numbers, at least one, got {list(phi)}")
        caption = readable(self.generator, caption)
        pair = concept.pair(caption) or (caption, caption)
        condition, change = full_change(
            "transporter", concept, [pair], self.generator, self.bank, seed
        )
        [z_xi] = sweep(
            self.generator, condition, change, phis, [seed], self.sampling, steps, frames
        )
        return self._read(concept, pair[0], seed, phis, z_xi, condition)

    @torch.no_grad()
    def _read(
        self,
        concept: Concept,
        caption: str,
        seed: int,
        phis: tuple[float, ...],
        z_xi: torch.Tensor,
        condition: torch.Tensor,
    ) -> Explanation:
        video = self.generator.decode(z_xi).clamp(0, 1)
        tokens = self.vlm.encode(video)
        through_phi = None
        if self.coupling is not None:
            # Phi is told the caption alone, so that a vector moves the answer by the latent
            pi = condition[[0] * len(z_xi)]
            read = self.reader.through_phi(z_xi, pi, tokens)
            through_phi = self.reader.log_odds(read, concept).cpu()
        odds = self.reader.log_odds(tokens, concept).cpu()
        return Explanation(
            concept,
            caption,
            seed,
            phis,
            z_xi.cpu(),
            video.cpu(),
            odds,
            through_phi,
            self.generator.fps,
        )

    def generate(
        self, caption: str, strengths: Mapping[str, float] | None = None, seed: int = 0
    ) -> torch.Tensor:
        """One video `(T, C, H, W)` in [0, 1] with several concepts at once, by name.

        Raises:
            UserError: a concept that is not in the bank, or a word that the generator does not
                know.
        """
        return generate(
            self.generator,
            self.bank,
            readable(self.generator, caption),
            strengths or {},
            seed,
            self.sampling,
        ).cpu()

    @torch.no_grad()
    def ask(
        self, video: torch.Tensor | str | os.PathLike[str], question: str | Concept | None = None
    ) -> str:
        """What the VLM answers about a video, a file or `(T, C, H, W)` in [0, 1].

        Among the words of the concepts with that question the likeliest, else what it says freely;
        without a question it describes the video.
        """
        tokens = self.vlm.encode(self._clip(video)[None].to(self.vlm.device))
        if question is None:
            return self.vlm.caption(tokens)[0]
        if isinstance(question, Concept):
            return answered(self.vlm, tokens, question.question, [question])
        return answered(self.vlm, tokens, question, list(self.concepts.values()))

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
            list(self.concepts.values()),
            caption,
            Look(guidance=self.sampling.guidance),
        )

    def explain(
        self,
        video: torch.Tensor | str | os.PathLike[str],
        concept: Concept | str,
        caption: str | None = None,
        phi: Sequence[float] = PHI,
        seed: int = 0,
        editing: Editing | None = None,
    ) -> Counterfactual:
        """The VLM's answer about a video, a file or `(T, C, H, W)` in [0, 1], and the video edited
        until the answer flips, as `explainer.counterfactual.explain` has it; nothing is fitted.
        """
        clip = self._clip(video)
        if editing is None:
            editing = Editing(target_guidance=self.sampling.guidance)
        return explain(clip, self._concept(concept), self.reader, caption, phi, editing, seed)

    def _clip(self, video: torch.Tensor | str | os.PathLike[str]) -> torch.Tensor:
        """As the models take it."""
        return as_clip(video, self.generator.video_shape, self.generator.fps, self.reading)

    def _concept(self, concept: Concept | str) -> Concept:
        if isinstance(concept, Concept):
            return concept
        if concept not in self.concepts:
            raise UserError(
                f"concept: expected one of {', '.join(self.concepts) or 'none yet'}, got"
                f" {concept!r}{nearest(concept, list(self.concepts))}; or give a Concept"
            )
        return self.concepts[concept]

    def _fitted(self, concept: Concept | str) -> Concept:
        """The concept, if it is in the bank, and with these words."""
        concept = self._concept(concept)
        if concept.name not in self.bank.vectors:
            raise UserError(
                f"concept {concept.name}: expected one of the bank"
                f" ({', '.join(self.bank.vectors) or 'which is empty'}); fit it first, or load a"
                " bank"
            )
        known = self.concepts.get(concept.name, concept)
        if (known.source, known.target) != (concept.source, concept.target):
            raise UserError(
                f"concept {concept.name}: expected the words it was fitted on, {known.source!r} and"
                f" {known.target!r}, got {concept.source!r} and {concept.target!r}; choose another"
                " name"
            )
        return concept

    def _contexts(
        self,
        concepts: Sequence[Concept],
        clips: Clips | str | os.PathLike[str] | None,
        count: int,
        settings: BankSettings,
    ) -> dict[str, Contexts]:
        """What each concept is fitted on: its words in captions of clips, or one-word edits that
        the VLM answers differently.
        """
        source = self.clips if clips is None else clips
        if source is None:
            raise UserError("fit: expected clips to fit on, got none; give them by `clips`")
        found = captioned_clips(
            concepts,
            source,
            count,
            self.settings.seed,
            self.generator.video_shape,
            self.generator.fps,
            self.reading,
        )
        if settings.objective in ASKING:
            return self._answered(concepts, found, count, settings.seed)
        contexts = {}
        for concept in concepts:
            captions, videos = zip(*found[concept.name], strict=True)
            z_xi = self._latents(torch.stack(videos))
            contexts[concept.name] = gather_contexts(concept, captions, z_xi, self.reader)
        return contexts

    @torch.no_grad()
    def _latents(self, videos: torch.Tensor) -> torch.Tensor:
        """E_Xi, a few clips at a time: `(n, T, C, H, W)` to `(n, c, t, h, w)`."""
        parts = videos.split(AT_ONCE)
        return torch.cat([self.generator.encode(part.to(self.generator.device)) for part in parts])

    def _answered(
        self,
        concepts: Sequence[Concept],
        found: Mapping[str, Sequence[tuple[str, torch.Tensor]]],
        count: int,
        seed: int,
    ) -> dict[str, Contexts]:
        """Edits of the captions that were found, sampled, and asked about."""
        captions = [
            caption
            for concept in concepts
            for caption, _ in found[concept.name][: max(1, count // EDITED)]
        ]
        known = self.concepts | {concept.name: concept for concept in concepts}
        table = plan_edits(captions, list(known.values()), len(captions))
        with TemporaryDirectory() as folder:
            latents, reencoded = Path(folder, "latents"), Path(folder, "reencoded")
            sample_edits(table, self.generator, self.sampling, seed, latents)
            embed_latents(latents, self._reencoded, reencoded, AT_ONCE, len(table))
            edits = Edits.load(latents, reencoded)
        return {c.name: answered_pairs(c, edits, self.reader) for c in concepts}

    def _reencoded(self, z_xi: torch.Tensor) -> torch.Tensor:
        return self.reader.reencoded(z_xi.to(self.generator.device))
