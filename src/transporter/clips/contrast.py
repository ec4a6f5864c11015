"""Contrast pairs of words, and the captions in which one can stand for the other."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from transporter.support.errors import UserError
from transporter.support.files import read_rows
from transporter.support.names import NAME, NAME_IN_WORDS
from transporter.support.text import refuse_control

KINDS = ("object", "action", "scene")
COLUMNS = ("concept", "kind", "source", "target", "question")


@dataclass(frozen=True)
class Concept:
    """A pair of contrast words: phi = 0 is `source`, phi = 1 is `target`; `question` is the prompt
    whose answer is one of them.
    """

    name: str
    kind: str
    source: str
    target: str
    question: str

    def swap(self, caption: str) -> str | None:
        """The caption with its `source` word replaced by `target`, or None where it does not hold
        `source` exactly once.

        A word ends at a space or a punctuation mark, but not at a hyphen; it may be a phrase, as
        `at night`.
        """
        whole_word = rf"(?<![\w-]){re.escape(self.source)}(?![\w-])"
        changed, count = re.subn(whole_word, lambda _: self.target, caption)
        return changed if count == 1 else None

    def pair(self, caption: str) -> tuple[str, str] | None:
        """`(pi_minus, pi_plus)` captions made from one that holds either word, else None."""
        if plus := self.swap(caption):
            return caption, plus
        if minus := Concept(self.name, self.kind, self.target, self.source, self.question).swap(
            caption
        ):
            return minus, caption
        return None

    def contexts(self, captions: Iterable[str]) -> list[tuple[str, str]]:
        """Every distinct `(pi_minus, pi_plus)` that `captions` give, in order."""
        return list(dict.fromkeys(pair for caption in captions if (pair := self.pair(caption))))


def _check(concept: Concept, where: str) -> None:
    """Raise a `UserError` for a row of the table, at `where`, that is no contrast pair."""
    if not re.fullmatch(NAME, concept.name):
        raise UserError(
            f"{where}, column concept: expected a name of {NAME_IN_WORDS}, got {concept.name!r}"
        )
    if concept.kind not in KINDS:
        raise UserError(
            f"{where}, column kind: expected one of {', '.join(KINDS)}, got {concept.kind!r}"
        )
    for column in ("source", "target", "question"):
        refuse_control(getattr(concept, column), f"{where}, column {column}")
    if not concept.source or not concept.target or concept.source == concept.target:
        raise UserError(
            f"{where}: expected two different words, got {concept.source!r} and {concept.target!r}"
        )
    if not concept.question:
        raise UserError(
            f"{where}, column question: expected the prompt whose answer is one of the two words,"
            " got nothing"
        )


def read_concepts(
    path: str | os.PathLike[str], names: Sequence[str] | None = None
) -> list[Concept]:
    """Read `concepts.tsv`; `names` picks some, in their order.

    Raises:
        UserError: no concept, a missing column, a doubled or unknown name, a name that cannot name
            a file, a kind other than object, action or scene, words that are missing, equal or
            hold control characters, or no question.
    """
    concepts: dict[str, Concept] = {}
    for line, cells in read_rows(path, COLUMNS):
        concept = Concept(*cells)
        _check(concept, f"{path}, line {line}")
        if concept.name in concepts:
            raise UserError(
                f"{path}, line {line}, column concept: {concept.name!r} stands there twice;"
                " rename one"
            )
        concepts[concept.name] = concept
    if not concepts:
        raise UserError(f"{path}: expected at least one concept, got a header alone")
    unknown = [name for name in names or () if name not in concepts]
    if unknown:
        raise UserError(
            f"{path}: no concept named {', '.join(unknown)}; it has {', '.join(concepts)}"
        )
    return [concepts[name] for name in names] if names is not None else list(concepts.values())


@dataclass(frozen=True)
class Swap:
    """A word of a caption, one that could stand there instead, what both are about (a question),
    and the caption so changed.
    """

    about: str
    word: str
    instead: str
    caption: str


def swaps(caption: str, concepts: Sequence[Concept]) -> Iterator[Swap]:
    """Every word of the caption against every word that answers the same question in the table of
    concepts.
    """
    vocabulary: dict[str, list[str]] = {}
    for concept in concepts:
        vocabulary.setdefault(concept.question, []).extend((concept.source, concept.target))
    for question, words in vocabulary.items():
        for word in dict.fromkeys(words):
            for instead in dict.fromkeys(words):
                if word != instead and (
                    changed := Concept("", "object", word, instead, question).swap(caption)
                ):
                    yield Swap(question, word, instead, changed)
