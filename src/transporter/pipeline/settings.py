"""Every key that a file of settings may hold: its type and bounds, its default, and what it means.

Its sections are in the modules named `*_settings`; those of the coupling, the bank and the
inversions are the library's.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, field
from typing import Annotated

from annotated_types import MaxLen, MinLen

from transporter.concepts.settings import Bank
from transporter.pipeline.clip_settings import ClipSettings
from transporter.pipeline.comparison_settings import BaselineSettings, MetricSettings, TruthSettings
from transporter.pipeline.exhibit_settings import (
    ExplanationSettings,
    FigureSettings,
    GallerySettings,
)
from transporter.pipeline.memory_settings import MemorySettings
from transporter.pipeline.method_settings import (
    Coupling,
    EditSettings,
    GenerationSettings,
    Variant,
    variants,
)
from transporter.pipeline.model_settings import GeneratorSettings, VLMSettings
from transporter.pipeline.saliency_settings import SaliencySettings
from transporter.pipeline.setting_types import SomeConcepts
from transporter.pipeline.training_settings import TrainingSettings
from transporter.support.settings import Name, Names, Place, Seed, Text, section


@section
class Run:
    """Which of the models and concepts above this run uses."""

    generators: Names = ("microworld",)
    """Names of generators; every one is combined with every VLM."""
    vlms: Names = ("qwen2_vl",)
    """Names of VLMs."""
    concepts: SomeConcepts = "all"
    """`all`, or a list of names from the table of concepts."""


@section
class Settings:
    """Every key has a default or must be given; others are refused."""

    _: KW_ONLY
    seed: Seed = 0
    """Seed of everything that is drawn; two runs with one seed make the same results on the same
    machine.
    """
    clips: ClipSettings = ClipSettings()
    generators: Annotated[dict[Name, GeneratorSettings], MinLen(1), MaxLen(100)]
    """Text-to-video models by name."""
    vlms: Annotated[dict[Name, VLMSettings], MinLen(1), MaxLen(100)]
    """Video vision-language models by name."""
    world: Text | None = "microworld"
    """The world of rendered clips whose attributes are known, offered by an installed package; null
    where there is none.
    """
    probes: Place | None = "models/probes"
    """Folder of the microworld's attribute classifiers, or null where no probe can judge the
    videos.
    """
    concepts: Place = "config/concepts.tsv"
    """Table of contrast pairs."""
    shortcuts: Place = "config/shortcuts.tsv"
    """Table of shortcuts, wrong cues that VLMs of the microworld can be taught to answer by."""
    run: Run = Run()
    memory: MemorySettings = MemorySettings()
    coupling: Coupling = Coupling()
    edits: EditSettings = EditSettings()
    bank: Bank = Bank()
    ablations: Annotated[dict[Name, Annotated[Variant, MinLen(1)]], MaxLen(1000)] = field(
        default_factory=variants
    )
    """Variants of the experiment by name; what they leave out is as in the rest of the settings."""
    generation: GenerationSettings = GenerationSettings()
    baselines: BaselineSettings = BaselineSettings()
    metrics: MetricSettings = MetricSettings()
    figures: FigureSettings = FigureSettings()
    gallery: GallerySettings = GallerySettings()
    explanations: ExplanationSettings = ExplanationSettings()
    truth: TruthSettings = TruthSettings()
    saliency: SaliencySettings = SaliencySettings()
    training: TrainingSettings = TrainingSettings()
