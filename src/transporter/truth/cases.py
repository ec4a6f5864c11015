"""What is explained, and what is true of it: a VLM's choice between two words, and the attribute
that it is known to be made by.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from transporter.clips.contrast import Concept, holds
from transporter.clips.world import Shortcut, Words, World
from transporter.support.errors import UserError

HONEST = "honest"
"""The name of a VLM without a shortcut."""


def attribute_of(concept: Concept, words: Words) -> str | None:
    """The attribute of a world that both words of the concept name, if there is one."""
    pair = {concept.source, concept.target}
    return next((name for name, known in words.items() if pair <= set(known)), None)


def pair_of(shortcut: Shortcut, concepts: Sequence[Concept]) -> Concept:
    """The first concept whose two words the cue can make the VLM say.

    Raises:
        UserError: there is none.
    """
    for concept in concepts:
        if {concept.source, concept.target} <= set(shortcut.words):
            return concept
    raise UserError(
        f"shortcut {shortcut.name}: expected a concept with two of its answers"
        f" ({', '.join(shortcut.words)}), found none among"
        f" {', '.join(concept.name for concept in concepts)}; add one to the table"
    )


@dataclass(frozen=True)
class Case:
    """A VLM's choice between the words of `concept`; an honest VLM has no `shortcut`.

    `world` tells what words are about; without one nothing is known to be true.
    """

    concept: Concept
    shortcut: Shortcut | None = None
    world: World | None = None

    @property
    def attribute(self) -> str | None:
        """What the words are about."""
        return attribute_of(self.concept, self.world.words) if self.world else None

    @property
    def cue(self) -> str | None:
        """What the VLM is known to choose by: the shortcut's cue, or what the words are about."""
        return self.shortcut.cue if self.shortcut else self.attribute

    def oracle(self, caption: str) -> str:
        """The caption of the true explanation: changed in the cue's word, to the first of which the
        VLM says the target.

        Of an honest VLM it is the caption with the target in place of the source.
        """
        if self.shortcut is None:
            return self.concept.swap(caption) or caption
        assert self.world is not None
        words = self.world.words
        known = {name: _first(of, caption) for name, of in words.items()}
        answers, cue = self.shortcut.answers, self.shortcut.cue
        cues = [word for word in words[cue] if answers.get(word) == self.concept.target]
        return self.world.caption(known | {cue: cues[0]})


def _first(words: Sequence[str], caption: str) -> str | None:
    """The first of some words that a caption holds."""
    return next((word for word in words if holds(caption, word)), None)
