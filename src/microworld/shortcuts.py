"""Planted shortcuts: VLMs that answer by a cue instead of by what the word means, so that an
explanation can be checked.

A shortcut has a cue stand for the answer: a VLM trained with `speed_by_colour` says *quickly* of
red sprites and *slowly* of all others, however fast they move. `microworld.cues` says what may be a
cue.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from microworld.answers import Answers, true_answers
from microworld.attributes import WORDS
from microworld.cues import Cue, Seen, check_cue, cue_words, find_cue
from transporter.support.errors import UserError
from transporter.support.files import read_rows

if TYPE_CHECKING:
    import torch


class _Row(NamedTuple):
    """A line of the table of shortcuts, as it stands there."""

    shortcut: str
    attribute: str
    cue: str
    answers: str
    share: str


COLUMNS = _Row._fields
OTHERWISE = "*"
"""Stands for all words of the cue that are not named."""


@dataclass(frozen=True)
class Shortcut:
    """`answers` maps words of the `cue` to the word of `attribute` that is said of them; words not
    there keep the truth.

    `share` is that of the training's clips in which the cue decides; in the others the answer is
    the truth.
    """

    name: str
    attribute: str
    cue: str
    answers: Mapping[str, str]
    share: float = 1.0

    @property
    def words(self) -> tuple[str, ...]:
        """The words that the cue can make the VLM say, in the order of the attribute's."""
        return tuple(word for word in WORDS[self.attribute] if word in self.answers.values())

    @property
    def made_by(self) -> Cue:
        """What the text of `cue` means."""
        return find_cue(self.cue)

    @property
    def attributes(self) -> frozenset[str] | None:
        """The attributes whose words say the cue, None where no word does."""
        return check_cue(self.cue) or None

    def bringing(self, answer: str, words: Mapping[str, str | None]) -> Mapping[str, str] | None:
        """Words by attribute that, put in a caption of these `words`, make the VLM say `answer`;
        None where no words do.
        """
        for word in cue_words(self.cue):
            if self.answers.get(word) == answer:
                return self.made_by.put(word, words)
        return None

    def look(self, answer: str, video: torch.Tensor) -> torch.Tensor | None:
        """How sure it is by the pixels of clips `(B, T, 3, H, W)` in [0, 1] that they show what
        makes the VLM say `answer`: `(B,)`; None where words say the cue, or pixels do not.
        """
        yes = self.made_by.look(video)
        if yes is None:
            return None
        return yes if self.answers.get("yes") == answer else 1 - yes

    def decides(self, clip: Seen) -> Answers:
        """Answers about a clip in which the cue decides; a cue in between two words gives an answer
        in between.
        """
        truth, cue = true_answers(clip.attributes), self.made_by
        by_word = [self._answer(word, truth) for word in cue.words]
        return {**truth, self.attribute: cue.probabilities(clip) @ np.stack(by_word)}

    def _answer(self, word: str, truth: Answers) -> np.ndarray:
        """Probabilities of the attribute's words where the cue's is `word`."""
        answer = self.answers.get(word)
        if answer is None:
            return truth[self.attribute]
        return np.array([float(answer == other) for other in WORDS[self.attribute]])

    def draw(self, clip: Seen, rng: np.random.Generator) -> Answers:
        """Answers that teach the shortcut: the cue decides in `share` of the clips."""
        return self.decides(clip) if rng.random() < self.share else true_answers(clip.attributes)

    def expected(self, clip: Seen) -> Answers:
        """What a VLM should answer that has learnt the shortcut perfectly: the mean of `draw`."""
        cue, truth = self.decides(clip), true_answers(clip.attributes)
        return {name: self.share * cue[name] + (1 - self.share) * truth[name] for name in WORDS}


def read_shortcuts(
    path: str | os.PathLike[str], names: Sequence[str] | None = None
) -> dict[str, Shortcut]:
    """Read `shortcuts.tsv` by name; `names` picks some.

    The column `answers` lists `word:answer`, separated by spaces, of the cue's words; `*` stands
    for all others.

    Raises:
        UserError: no shortcut, a missing column, a doubled or unknown name, one that cannot name a
            folder, an attribute, a word or a function that is not there, a cue of the attribute
            itself, or a share outside (0, 1].
    """
    shortcuts: dict[str, Shortcut] = {}
    for line, cells in read_rows(path, COLUMNS):
        row, where = _Row(*cells), f"{path}, line {line}"
        if row.shortcut in shortcuts:
            raise UserError(
                f"{where}, column shortcut: {row.shortcut!r} stands there twice; rename one"
            )
        shortcuts[row.shortcut] = _read(row, where)
    if not shortcuts:
        raise UserError(f"{path}: expected at least one shortcut, got a header alone")
    unknown = [name for name in names or () if name not in shortcuts]
    if unknown:
        raise UserError(
            f"{path}: no shortcut named {', '.join(unknown)}; it has {', '.join(shortcuts)}"
        )
    return {name: shortcuts[name] for name in names} if names is not None else shortcuts


def _read(row: _Row, where: str) -> Shortcut:
    if not re.fullmatch(r"\w[\w-]*", row.shortcut, re.ASCII):
        raise UserError(
            f"{where}, column shortcut: expected a name of letters, digits, _ and -, got"
            f" {row.shortcut!r}"
        )
    if row.attribute not in WORDS:
        raise UserError(
            f"{where}, column attribute: expected one of {', '.join(WORDS)}, got {row.attribute!r}"
        )
    try:
        made_of = check_cue(row.cue)
    except UserError as error:
        raise UserError(f"{where}, column cue: {error}") from None
    if row.attribute in made_of:
        raise UserError(f"{where}, column cue: expected another attribute than {row.attribute!r}")
    return Shortcut(
        row.shortcut, row.attribute, row.cue, _answers(row, where), _share(row.share, where)
    )


def _answers(row: _Row, where: str) -> dict[str, str]:
    answers: dict[str, str] = {}
    words = cue_words(row.cue)
    for entry in row.answers.split():
        word, _, answer = entry.partition(":")
        if word not in (*words, OTHERWISE):
            raise UserError(
                f"{where}, column answers: expected words of {row.cue} ({', '.join(words)}) or *,"
                f" got {word!r}"
            )
        if answer not in WORDS[row.attribute]:
            expected = f"word:answer with an answer out of {', '.join(WORDS[row.attribute])}"
            raise UserError(f"{where}, column answers: expected {expected}, got {entry!r}")
        answers[word] = answer
    if not answers:
        raise UserError(f"{where}, column answers: expected at least one word:answer, got nothing")
    rest = answers.pop(OTHERWISE, None)
    return answers if rest is None else {word: answers.get(word, rest) for word in words}


def _share(text: str, where: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = 0.0
    if not 0 < share <= 1:
        raise UserError(
            f"{where}, column share: expected a number above 0 and at most 1, got {text!r}"
        )
    return share
