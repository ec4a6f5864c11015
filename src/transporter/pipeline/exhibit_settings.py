"""Keys of the settings about what a person looks at."""

from __future__ import annotations

from typing import Annotated

from annotated_types import MaxLen, MinLen

from transporter.pipeline.setting_types import Parts, Seeds, Together
from transporter.support.settings import Names, section


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
class GallerySettings:
    """The page of results."""

    seeds: Seeds = 4
    """Seeds per concept that the page shows."""
