"""What is explained, and what is true of it: a VLM's choice between two words, and the attribute
that it is known to be made by.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from microworld.attributes import WORDS
from microworld.language import caption as say
from microworld.shortcuts import Shortcut
from transporter.clips.contrast import Concept
from transporter.support.errors import UserError

HONEST = "honest"
"""The name of a VLM without a shortcut."""


def attribute_of(concept: Concept) -> str | None:
    """The attribute of the microworld that both words name, if there is one."""
    return next(
        (name for name, words in WORDS.items() if {concept.source, concept.target} <= set(words)),
        None,
    )


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
class Subject:
    """A VLM's choice between the words of `concept`; an honest VLM has no `shortcut`."""

    concept: Concept
    shortcut: Shortcut | None = None

    @property
    def attribute(self) -> str | None:
        """What the words are about."""
        return attribute_of(self.concept)

    @property
    def cue(self) -> str | None:
        """What the VLM is known to choose by: the shortcut's cue, or what the words are about; None
        outside the microworld.
        """
        return self.shortcut.cue if self.shortcut else self.attribute

    def oracle(self, caption: str) -> str:
        """The caption of the true explanation: changed in the cue's word, to the first of which the
        VLM says the target.

        Of an honest VLM it is the caption with the target in place of the source.
        """
        if self.shortcut is None:
            return self.concept.swap(caption) or caption
        held = set(caption.split())
        words = {
            name: next((word for word in known if word in held), None)
            for name, known in WORDS.items()
        }
        cues = [
            word
            for word in WORDS[self.shortcut.cue]
            if self.shortcut.answers.get(word) == self.concept.target
        ]
        return say(words | {self.shortcut.cue: cues[0]})
