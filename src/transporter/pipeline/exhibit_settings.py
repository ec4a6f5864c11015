"""Keys of the settings about what a person looks at."""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import Le, MaxLen, MinLen

from transporter.pipeline.setting_types import Parts, Sample, Seeds, Strength, Together
from transporter.support.settings import Distinct, Names, Whole, section

PHI = (0, 0.25, 0.5, 0.75, 1)


@section
class Injection:
    """Step injection, where a concept acts in some of the sampling steps."""

    concepts: Names | None = None
    """Concepts of the run that act in some of the sampling steps; null takes the first of each
    kind.
    """
    parts: Parts = 3
    """Equal parts of the sampling steps; a concept acts in all of them, and in each alone."""


@section
class PartialFrames:
    """Partial frames, where a concept acts in some of the latent frames."""

    concepts: Names | None = None
    """Concepts of the run that act in some of the latent frames; null takes the first object and
    scene.
    """
    parts: Parts = 2
    """Equal parts of the latent frames; a concept acts in all of them, and in each alone."""


@section
class FigureSettings:
    """The paper's figures of several concepts at once, of step injection and of partial frames."""

    seeds: Seeds = 8
    """Videos (seed and caption) per concept and setting of these figures."""
    several: Annotated[tuple[Together, ...], MinLen(1), MaxLen(100)] | None = None
    """Lists of concepts of the run that act together, their words in one caption; null pairs its
    first objects and scenes.
    """
    injection: Injection = Injection()
    partial_frames: PartialFrames = PartialFrames()


@section
class ExplanationSettings:
    """Clips of one's own, or of the world, edited until the VLM's answer flips:
    `snakemake explanations`.
    """

    split: Literal["train", "validation", "held_out"] = "held_out"
    """Where the clips are drawn from, at random."""
    clips: Sample = 4
    """Clips for each concept, fewer where fewer captions hold its words."""
    phi: Annotated[tuple[Strength, ...], MinLen(2), MaxLen(1000), Distinct] = PHI
    """Strengths that are tried first; the page then spaces as many evenly by the answer."""
    draws: Sample = 8
    """Noises that each swap of words is looked at in, to rank the words."""
    pairs: Annotated[Whole, Le(10_000)] = 96
    """Pairs of swaps that are looked at where no swap alone flips the answer; 0 for none."""
    lpips: bool = False
    """Measure LPIPS^v of each least edit too, by published weights, which are downloaded."""


@section
class GallerySettings:
    """The page of results."""

    seeds: Seeds = 4
    """Seeds per concept that the page shows."""
