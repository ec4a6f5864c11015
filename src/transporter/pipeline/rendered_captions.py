"""Whether the captions of rendered clips hold the words of the run, told before any is rendered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

from transporter.clips.contrast import Concept
from transporter.clips.world import World

FEW = 100
"""Training captions that held-out ones must differ from. A split that is larger than this has so
many that no concept goes without a new one.
"""


class _Captions:
    """The captions of a split, each drawn once, and not before it is asked for."""

    def __init__(self, captions: Iterator[str]) -> None:
        self._coming, self._drawn = captions, []

    def __iter__(self) -> Iterator[str]:
        yield from self._drawn
        for caption in self._coming:
            self._drawn.append(caption)
            yield caption


def rendered_lacks(
    world: World, splits: Mapping[str, int], seed: int, concepts: Sequence[Concept]
) -> dict[str, str]:
    """Those of the concepts that the captions of these splits cannot serve, with what they lack: a
    training caption to be fitted on, or a held-out one of another pair to be tried on.
    """
    train, held_out = (
        _Captions(islice(world.captions(seed, split), splits[split]))
        for split in ("train", "held_out")
    )
    known = set(islice(train, FEW))
    lacks = {}
    for concept in concepts:
        served = {
            "train": any(concept.pair(caption) for caption in train),
            "held_out": any(_is_new(concept, caption, known) for caption in held_out),
        }
        if lacking := [split for split, found in served.items() if not found]:
            words = f"no new caption with {concept.source!r} or {concept.target!r}"
            lacks[concept.name] = f"{words} in {' and '.join(lacking)}"
    return lacks


def _is_new(concept: Concept, caption: str, known: set[str]) -> bool:
    """Whether a caption gives a pair that no known one gives."""
    pair = concept.pair(caption)
    return pair is not None and not known & set(pair)
