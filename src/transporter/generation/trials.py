"""Which clips show composition, step injection and partial frames: concepts, their strengths, and
where they act.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from transporter.clips.contrast import Concept

OURS, SWAPPED = "transporter", "prompt_interpolation"
"""Methods, as `sweeps.METHODS` names them."""
SEVERAL, INJECTION, PARTIAL_FRAMES = "several", "injection", "partial_frames"
FIT = {INJECTION: 3, PARTIAL_FRAMES: 2}
"""Concepts that fit side by side on a page."""
ORDER = ("object", "scene", "action")
"""Kinds of concepts, those first that a single still shows."""


@dataclass(frozen=True)
class Trial:
    """Concepts' strengths, and which of `parts` equal parts of the steps or frames they act in;
    part 1 of 1 is the whole. Or, by the method `prompt_interpolation`, their words swapped instead,
    all as strongly.
    """

    strengths: Mapping[str, float]
    part: int = 1
    parts: int = 1
    method: str = OURS

    @property
    def share(self) -> tuple[float, float]:
        return (self.part - 1) / self.parts, self.part / self.parts


@dataclass(frozen=True)
class Demonstration:
    """What one figure shows of one concept, or of several at once."""

    figure: str
    concepts: tuple[Concept, ...]
    trials: tuple[Trial, ...]

    @property
    def name(self) -> str:
        return "+".join(concept.name for concept in self.concepts)


def together(concepts: Sequence[Concept], phis: Sequence[float]) -> Demonstration:
    """No concept, each alone at every other phi, and all of them at once; and the same by swapped
    words.
    """
    names = [concept.name for concept in concepts]
    acting = [*([name] for name in names), names]
    none = dict.fromkeys(names, 0.0)
    trials = [Trial(none | dict.fromkeys(some, phi)) for some in acting for phi in phis if phi]
    return Demonstration(SEVERAL, tuple(concepts), (Trial(none), *trials, *_swapped(trials)))


def in_parts(figure: str, concept: Concept, parts: int) -> Demonstration:
    """The concept nowhere, everywhere, and in each of the parts alone; and the same by the swapped
    word.
    """
    full = {concept.name: 1.0}
    trials = [Trial(full), *(Trial(full, part, parts) for part in range(1, parts + 1))]
    none = Trial({concept.name: 0.0})
    return Demonstration(figure, (concept,), (none, *trials, *_swapped(trials)))


def _swapped(trials: Sequence[Trial]) -> list[Trial]:
    return [replace(trial, method=SWAPPED) for trial in trials]


def demonstrations(
    settings: Mapping[str, Any], phis: Sequence[float], concepts: Sequence[Concept]
) -> list[Demonstration]:
    """What the key `figures` of the configuration asks for of `concepts`, those of the run; where
    it names none, those that come first.

    With concepts of one kind alone, and none named, there is nothing to compose.
    """
    by_name = {concept.name: concept for concept in concepts}
    by_kind = list(filter(None, (_names(concepts, kind) for kind in ORDER)))
    pairs = [list(pair) for pair in zip(*by_kind[:2], strict=False)][:2] if len(by_kind) > 1 else []
    several = pairs if settings[SEVERAL] is None else settings[SEVERAL]
    made = [
        together(list(map(by_name.__getitem__, names)), phis)
        for names in several
        if by_name.keys() >= set(names)
    ]
    for figure in (INJECTION, PARTIAL_FRAMES):
        named = settings[figure]["concepts"]
        chosen = [some[0] for some in by_kind][: FIT[figure]] if named is None else named
        parts = settings[figure]["parts"]
        made += [in_parts(figure, by_name[name], parts) for name in chosen if name in by_name]
    return made


def _names(concepts: Sequence[Concept], kind: str) -> list[str]:
    return [concept.name for concept in concepts if concept.kind == kind]
