"""What is explained, and what is true of it: a VLM's choice between two words, and the attributes
that it is known to be made by.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from transporter.clips.caption_words import attribute_of, words_in
from transporter.clips.contrast import Concept
from transporter.clips.world import Shortcut, World
from transporter.support.errors import UserError

if TYPE_CHECKING:
    import torch

HONEST = "honest"
"""The name of a VLM without a shortcut."""
NULLS = ("coin", "one_word")
"""The names of VLMs that do not look (`transporter.truth.nulls`)."""
WITHHELD = "_withheld"
"""What the name of a case adds to its shortcut's where no method may ask about the cue's words."""


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


def shortcut_name(case: str) -> str:
    """The shortcut that a case's VLM has, by the case's name; of others the name itself."""
    return case.removesuffix(WITHHELD)


def without_words(concepts: Sequence[Concept], hidden: Collection[str]) -> list[Concept]:
    """The rows of a table of concepts that hold none of some words."""
    return [one for one in concepts if not {one.source, one.target} & set(hidden)]


@dataclass(frozen=True)
class Case:
    """A VLM's choice between the words of `concept`; an honest VLM has no `shortcut`.

    `world` tells what words are about; without one nothing is known to be true. Of a `null` VLM
    nothing is true: it does not look at what a clip shows. Where the cue is `withheld`, no method
    may ask about its words.
    """

    concept: Concept
    shortcut: Shortcut | None = None
    world: World | None = None
    null: bool = False
    withheld: bool = False

    @classmethod
    def named(
        cls, name: str, concept: Concept, shortcuts: Mapping[str, Shortcut], world: World | None
    ) -> Case:
        """The case of a name: a shortcut's, with `WITHHELD` behind it or not, `HONEST`, or a null
        VLM's.
        """
        withheld, null = name.endswith(WITHHELD), name in NULLS
        return cls(concept, shortcuts.get(shortcut_name(name)), world, null, withheld)

    @property
    def attribute(self) -> str | None:
        """What the words are about."""
        pair = (self.concept.source, self.concept.target)
        return attribute_of(pair, self.world.words) if self.world else None

    @property
    def cues(self) -> frozenset[str] | None:
        """The attributes that the VLM is known to choose by: those of the shortcut's cue, or what
        the words are about; none of a null VLM. None where no attribute says it.
        """
        if self.null:
            return frozenset()
        if self.shortcut:
            return self.shortcut.attributes
        return frozenset([self.attribute]) if self.attribute else None

    @property
    def hidden(self) -> frozenset[str]:
        """The words that no method may ask about: all of the cue's attributes, if it is `withheld`;
        none of a cue that no word says.
        """
        if not (self.withheld and self.shortcut and self.world):
            return frozenset()
        groups = [self.world.words[name] for name in self.shortcut.attributes or ()]
        return frozenset(word for group in groups for word in group)

    def oracle(self, caption: str) -> str | None:
        """The caption of the true explanation: changed in the cue's words, to the first of which
        the VLM says the target; None where no word says the cue.

        Of an honest VLM it is the caption with the target in place of the source.
        """
        if self.null:
            return None
        if self.shortcut is None:
            return self.concept.swap(caption) or caption
        assert self.world is not None
        known = words_in(caption, self.world)
        wanted = self.shortcut.bringing(self.concept.target, known)
        if wanted is None:
            return None
        return self.world.caption({**known, **wanted})

    def shows(self, video: torch.Tensor) -> torch.Tensor | None:
        """How sure it is by the pixels of clips `(B, T, 3, H, W)` in [0, 1] that they show what
        makes the VLM say the target: `(B,)`; None where words say it, or nothing is known.
        """
        return self.shortcut.look(self.concept.target, video) if self.shortcut else None
