"""Contrast pairs of words, and the captions in which one can stand for the other."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache
from itertools import combinations
from typing import NamedTuple

from transporter.support.errors import UserError
from transporter.support.files import read_rows
from transporter.support.names import NAME, NAME_IN_WORDS
from transporter.support.text import refuse_control

KINDS = ("object", "action", "scene")
COLUMNS = ("concept", "kind", "source", "target", "question")


class Slot(NamedTuple):
    """Where a caption holds a contrast word: the text before and after it, spaces and all, and both
    words as they are written there.
    """

    before: str
    source: str
    target: str
    after: str

    @property
    def pair(self) -> tuple[str, str]:
        """The captions `(pi_minus, pi_plus)`."""
        return (
            f"{self.before}{self.source}{self.after}",
            f"{self.before}{self.target}{self.after}",
        )


@dataclass(frozen=True)
class Concept:
    """A pair of contrast words: phi = 0 is `source`, phi = 1 is `target`; `question` is the prompt
    whose answer is one of them.

    A word ends at a space or a punctuation mark, but not at a hyphen; it may be a phrase, as `at
    night`, and is found whatever its case. Where one word holds the other, as `at night` and
    `night`, the longer is found.
    """

    name: str
    kind: str
    source: str
    target: str
    question: str

    def swap(self, caption: str) -> str | None:
        """The caption with its `source` word replaced by `target`, or None where it does not hold
        `source` exactly once.
        """
        found, _ = self._found(caption)
        return self._slot(caption, found[0]).pair[1] if len(found) == 1 else None

    def slot(self, caption: str) -> Slot | None:
        """Where the caption holds `source` exactly once, or else `target` exactly once and `source`
        not at all; None for another caption, in which it is not clear what would be changed.

        The word that stands there is kept as it is written, and the other gets its capitals.
        """
        sources, targets = self._found(caption)
        chosen = sources or targets
        return self._slot(caption, chosen[0]) if len(chosen) == 1 else None

    def pair(self, caption: str) -> tuple[str, str] | None:
        """`(pi_minus, pi_plus)`, captions made from one that has a `slot`, else None."""
        slot = self.slot(caption)
        return slot.pair if slot else None

    def contexts(self, captions: Iterable[str]) -> list[tuple[str, str]]:
        """Every distinct `(pi_minus, pi_plus)` that `captions` give, in order."""
        return list(dict.fromkeys(pair for caption in captions if (pair := self.pair(caption))))

    def _found(self, caption: str) -> tuple[list[re.Match[str]], list[re.Match[str]]]:
        """Where both words stand in the caption."""
        matches = list(_either(self.source, self.target).finditer(caption))
        return (
            [match for match in matches if match["source"]],
            [match for match in matches if match["target"]],
        )

    def _slot(self, caption: str, match: re.Match[str]) -> Slot:
        word, own = match[0], self.source if match["source"] else self.target
        source = word if match["source"] else _written_as(self.source, word, own)
        target = word if match["target"] else _written_as(self.target, word, own)
        return Slot(caption[: match.start()], source, target, caption[match.end() :])


def words_of(text: str) -> list[str]:
    """The words of a text in lower case, without the punctuation around them."""
    return re.findall(r"\w(?:[\w'’-]*\w)?", text.lower())


def holds(text: str, word: str) -> bool:
    """Whether a text holds a word or a phrase as `Concept` finds it."""
    return bool(_whole(_literal(word)).search(text))


@cache
def _either(source: str, target: str) -> re.Pattern[str]:
    """What finds two words, each in a group of its own, the longer one first."""
    words = sorted((("source", source), ("target", target)), key=lambda word: -len(word[1]))
    groups = [rf"(?P<{name}>{_literal(word)})" for name, word in words]
    return _whole("|".join(groups))


@cache
def _whole(pattern: str) -> re.Pattern[str]:
    """A pattern that matches no part of a word."""
    return re.compile(rf"(?<![\w-])(?:{pattern})(?![\w-])", re.IGNORECASE)


def _literal(word: str) -> str:
    """A pattern of a word or a phrase, whatever white space parts it."""
    return r"\s+".join(map(re.escape, word.split()))


def _written_as(word: str, like: str, own: str) -> str:
    """A word with the capitals that the text `like` has, but its own form `own` has not."""
    if like == own:
        return word
    if like.isupper() and len(like) > 1 and not own.isupper():
        return word.upper()
    if like[0].isupper() and not own[0].isupper():
        return word[0].upper() + word[1:]
    return word


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
    source, target = (
        " ".join(word.casefold().split()) for word in (concept.source, concept.target)
    )
    if not source or not target or source == target:
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
    and the caption so changed. Of two words at once `word` is all from one to the other.
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


def swap_pairs(caption: str, found: Sequence[Swap]) -> Iterator[Swap]:
    """Every two swaps of a caption at once that are about different things, those that stand first
    in `found` first.
    """
    places = sorted(combinations(range(len(found)), 2), key=sum)
    for one, other in ((found[first], found[second]) for first, second in places):
        both = Concept("", "object", other.word, other.instead, other.about).swap(one.caption)
        if one.about != other.about and both:
            yield Swap(f"{one.about} {other.about}", *_stretch(caption, both), both)


def _stretch(before: str, after: str) -> tuple[str, str]:
    """What differs between two captions, from the first word to the last; at least a word each."""
    old, new = before.split(), after.split()
    while len(old) > 1 < len(new) and old[0] == new[0]:
        del old[0], new[0]
    while len(old) > 1 < len(new) and old[-1] == new[-1]:
        del old[-1], new[-1]
    return " ".join(old), " ".join(new)


def edits_of(word: str, instead: str) -> list[tuple[str, str]]:
    """What one text has where the other has something else, word by word; words side by side are
    one, and so are texts of which one lacks a word.

    >>> edits_of("red dot moves left", "blue dot moves right")
    [('red', 'blue'), ('left', 'right')]
    """
    old, new = word.split(), instead.split()
    steps = SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    found = [
        (" ".join(old[first:last]), " ".join(new[start:end]))
        for step, first, last, start, end in steps
        if step != "equal"
    ]
    return found if all(map(all, found)) else [(word, instead)]
