"""Which words a caption of a world holds, and captions with one more or one less."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from transporter.clips.contrast import Concept, Swap, holds, swaps
from transporter.clips.world import Words, World


def attribute_of(some: Iterable[str], words: Words) -> str | None:
    """The attribute of a world that all of some words name, if there is one."""
    wanted = set(some)
    return next((name for name, known in words.items() if wanted <= set(known)), None)


def words_in(caption: str, world: World) -> dict[str, str | None]:
    """The words of a caption by their attributes, None where it has none."""
    return {
        name: next((word for word in words if holds(caption, word)), None)
        for name, words in world.words.items()
    }


def reworded(caption: str, attribute: str, word: str | None, world: World) -> str:
    """The caption with this word of an attribute, whatever it has, or with none."""
    return world.caption({**words_in(caption, world), attribute: word})


def is_of(caption: str, world: World) -> bool:
    """Whether a caption is as the world itself would put it."""
    return world.caption(words_in(caption, world)) == caption


def one_word_edits(
    caption: str, concepts: Sequence[Concept], world: World | None
) -> Iterator[Swap]:
    """Every word of a caption against every other that answers the same question, and every word of
    what a caption of the world does not name, put in: `word`, what stood there, is empty then.
    """
    yield from swaps(caption, concepts)
    if world is None or not is_of(caption, world):
        return
    known, groups = words_in(caption, world), dict[str, dict[str, None]]()
    for one in concepts:
        groups.setdefault(one.question, {}).update(dict.fromkeys((one.source, one.target)))
    for question, words in groups.items():
        attribute = attribute_of(words, world.words)
        if attribute is not None and known[attribute] is None:
            for word in words:
                yield Swap(question, "", word, reworded(caption, attribute, word, world))
