"""What a rendered world's captions lack is known before it is rendered, and is what its jobs would
say.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path

import pytest

from microworld.world import MICROWORLD
from transporter.clips.contrast import Concept, read_concepts
from transporter.generation.captions import fresh_pairs
from transporter.pipeline.rendered_captions import FEW, rendered_lacks
from transporter.support.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
CONCEPTS = read_concepts(ROOT / "config" / "concepts.tsv")
CAT = Concept("cat_dog", "object", "cat", "dog", "what is it ?")


def refused(concept: Concept, train: list[str], held_out: list[str]) -> bool:
    """Whether the job that generates, or the one that fits, would stop."""
    try:
        fresh_pairs(concept, [held_out], train, seed=0)
    except UserError:
        return True
    return not concept.contexts(train)


@pytest.mark.parametrize(("train", "held_out"), [(1, 1), (2, 6), (4, 2), (8, 8), (24, 16)])
@pytest.mark.parametrize("seed", [0, 3])
def test_lacks_are_those_that_the_jobs_find(seed: int, train: int, held_out: int) -> None:
    captions = {
        split: list(islice(MICROWORLD.captions(seed, split), size))
        for split, size in (("train", train), ("held_out", held_out))
    }
    sizes = {"train": train, "validation": 1, "held_out": held_out}
    lacks = rendered_lacks(MICROWORLD, sizes, seed, [*CONCEPTS, CAT])
    expected = [one.name for one in [*CONCEPTS, CAT] if refused(one, *captions.values())]
    assert list(lacks) == expected
    assert "cat_dog" in lacks


def test_a_large_world_is_not_drawn_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dry run of the default waits for it."""
    drawn = {"train": 0, "held_out": 0}
    plain = MICROWORLD.captions

    def counted(seed: int, split: str) -> Iterator[str]:
        for number, caption in zip(count(1), plain(seed, split), strict=False):
            drawn[split] = number
            yield caption

    monkeypatch.setattr(MICROWORLD, "captions", counted)
    sizes = {"train": 1200, "validation": 128, "held_out": 192}
    assert rendered_lacks(MICROWORLD, sizes, 0, CONCEPTS) == {}
    assert drawn["train"] == FEW and drawn["held_out"] < 40


def test_the_reason_says_where_a_word_is_missing() -> None:
    lacks = rendered_lacks(MICROWORLD, {"train": 9, "held_out": 9}, 0, [CAT])
    assert lacks == {"cat_dog": "no new caption with 'cat' or 'dog' in train and held_out"}
