"""The live explorer without its page: clips, answers and edits, each kept once it was made."""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import torch

from transporter.clips.contrast import Concept
from transporter.clips.split import Reading
from transporter.explainer.clip_edits import ClipEdits
from transporter.explainer.counterfactual import SEEN
from transporter.explainer.explainer import Explainer
from transporter.explainer.flip_search import HALVINGS, PHI, least_flip
from transporter.explainer.live_clips import LiveClip, read_live
from transporter.explainer.location import Location
from transporter.explainer.lru import LRU
from transporter.explainer.speed import keeps_speed
from transporter.support.errors import UserError
from transporter.support.text import refuse_control

LONGEST = 2.0
"""Strength up to which a clip is edited."""
LETTERS = 500
"""Of a question, a word or a caption."""
OPENED = 8
"""Clips that are kept."""
MEMORY = 2**28
"""Bytes that the kept edits may take, of which there are at least `FEWEST`."""
FEWEST, MOST = 8, 128


class Asked(NamedTuple):
    """What is asked about which clip: a clip's key, a question, two answers, and what the clip
    shows, "" for the VLM's own description.
    """

    clip: str
    question: str
    words: tuple[str, str]
    caption: str = ""


@dataclass(frozen=True, eq=False)
class LiveEdit:
    """A clip at one strength.

    Attributes:
        video: `(T, C, H, W)` in [0, 1].
        log_odds: of the word that the VLM does not answer about the clip itself, in nats.
        changed: the share of pixels that one sees change.
        difference: what the edit changes beyond what encoding does, `(T, H, W)` in [0, 1].
    """

    phi: float
    video: torch.Tensor
    log_odds: float
    changed: float
    difference: torch.Tensor


class LiveWord(NamedTuple):
    """Where a word is in a clip, and the seconds of the file in which it is strongest."""

    location: Location
    begin: float
    end: float


class LiveExplorer:
    """Answers about clips at any strength, one request at a time; what was made is kept, so that
    the same strength of the same change is made once.

    A clip is kept by its file's bytes, not by its name, so that two people with one video share its
    edits.

    Args:
        samples: clips to pick, by name; nothing else of the machine is read.
    """

    def __init__(self, explainer: Explainer, samples: Mapping[str, Path]) -> None:
        self.explainer = explainer
        self.samples = dict(samples)
        self._models = threading.RLock()
        clip_bytes = 4 * math.prod(explainer.generator.video_shape)
        self._clips: LRU[LiveClip] = LRU(OPENED)
        self._changes: LRU[ClipEdits] = LRU(OPENED)
        self._words: LRU[LiveWord] = LRU(OPENED)
        self._edits: LRU[LiveEdit] = LRU(min(MOST, max(FEWEST, MEMORY // clip_bytes)))

    @property
    def questions(self) -> list[str]:
        """Those of the table of concepts."""
        return list(dict.fromkeys(c.question for c in self.explainer.concepts.values()))

    def words(self, question: str, caption: str = "") -> tuple[str, str]:
        """Two answers to a question of the table, of which the caption names one if it can; empty
        ones for another question.
        """
        known = [c for c in self.explainer.concepts.values() if c.question == question]
        fitting = [c for c in known if c.pair(caption)]
        return next(((c.source, c.target) for c in fitting + known), ("", ""))

    def sample(self, name: str) -> LiveClip:
        """One of the clips to pick.

        Raises:
            UserError: none is called so, or it cannot be read.
        """
        if name not in self.samples:
            raise UserError(f"clip: expected one of those to pick, got {name!r}")
        return self.open(self.samples[name], name)

    def open(self, path: str | os.PathLike[str], name: str) -> LiveClip:
        """Read a video, as `read_live`."""
        return self._opened(path, name, self.explainer.reading)

    def part(self, key: str, start: float | None, seconds: float | None) -> LiveClip:
        """Another part of the video of an open clip; None is as the settings have it.

        Raises:
            UserError: the clip is not open, or as `read_live`.
        """
        clip, given = self.clip(key), {"start": start, "seconds": seconds}
        known = {name: value for name, value in given.items() if value is not None}
        return self._opened(clip.path, clip.name, replace(self.explainer.reading, **known))

    def _opened(self, path: str | os.PathLike[str], name: str, reading: Reading) -> LiveClip:
        clip = read_live(path, name, self.explainer.generator, reading)
        with self._models:
            return self._clips.put(clip.key, clip)

    def clip(self, key: str) -> LiveClip:
        """One that was opened.

        Raises:
            UserError: it was not, or `OPENED` others have been since.
        """

        def missing() -> LiveClip:
            raise UserError("clip: expected one that is open; choose or upload it again")

        with self._models:
            return self._clips.get(key, missing)

    def caption(self, key: str) -> str:
        """What the VLM says that a clip shows."""
        clip = self.clip(key)
        with self._models:
            return self.explainer.ask(clip.video)

    def located(self, key: str, word: str, caption: str = "") -> LiveWord:
        """Where and when a word is in a clip that shows `caption`, "" for the VLM's description.

        Raises:
            UserError: no word, one that is too long, or as `explainer.location.locate`.
        """
        _refuse_texts({"word": word, "caption": caption})
        if not word:
            raise UserError("word: expected one to look for")
        with self._models:
            return self._words.get((key, word, caption), lambda: self._located(key, word, caption))

    def _located(self, key: str, word: str, caption: str) -> LiveWord:
        clip = self.clip(key)
        found = self.explainer.locate(clip.video, word, caption or None)
        return LiveWord(found, *clip.seconds(found.strongest, len(found.time)))

    def change(self, asked: Asked) -> ClipEdits:
        """The VLM's answer about a clip, and what edits it.

        Raises:
            UserError: something is not asked, too long, or no change of what the clip shows.
        """
        with self._models:
            return self._changes.get(asked, lambda: self._change(asked))

    def _change(self, asked: Asked) -> ClipEdits:
        texts = {"question": asked.question, "caption": asked.caption}
        _refuse_texts({**texts, "words": " ".join(asked.words)})
        first, second = asked.words
        if not asked.question or not first or not second or first == second:
            raise UserError("expected a question and two different words that answer it")
        concept = Concept("own", "object", first, second, asked.question)
        clip, caption = self.clip(asked.clip), asked.caption or None
        fps, window = self.explainer.generator.fps, clip.reading.window
        rate = fps if keeps_speed(window, len(clip.video), fps) else None
        return self.explainer.edits(clip.video, concept, caption, fps=rate)

    def edit(self, asked: Asked, phi: float) -> LiveEdit:
        """A clip at one strength, at most `LONGEST` either way.

        Raises:
            UserError: as `change`, or another strength.
        """
        if not abs(phi) <= LONGEST:
            raise UserError(f"phi: expected at most {LONGEST:g} in size, got {phi:g}")
        with self._models:
            return self._edits.get((asked, phi), lambda: self._edit(asked, phi))

    def _edit(self, asked: Asked, phi: float) -> LiveEdit:
        [video], [odds] = self.change(asked).at([phi])
        before = self.edit(asked, 0.0).video if phi else video
        difference = (video - before).abs().amax(1)
        changed = float((difference > SEEN).float().mean())
        return LiveEdit(phi, video, float(odds), changed, difference)

    def tried(self, asked: Asked) -> list[LiveEdit]:
        """The edits of one change that are kept, by strength."""
        with self._models:
            made = [edit for (of, _), edit in self._edits.kept.items() if of == asked]
        return sorted(made, key=lambda edit: edit.phi)

    def least(self, asked: Asked, report: Callable[[int, int], None]) -> LiveEdit | None:
        """The least edit found that flips the answer, None where no strength up to 1 does.

        Args:
            report: called before each edit with how many are done, and of how many at most.
        """
        done = 0

        def made(phi: float) -> LiveEdit:
            nonlocal done
            report(done, len(PHI) + HALVINGS)
            done += 1
            return self.edit(asked, phi)

        known = {phi: made(phi) for phi in PHI}

        def read(phi: float) -> tuple[torch.Tensor, float]:
            edit = made(phi)
            return edit.video, edit.log_odds

        found = least_flip(read, {phi: (e.video, e.log_odds) for phi, e in known.items()})
        return None if found is None else self.edit(asked, found.phi)


def _refuse_texts(texts: Mapping[str, str]) -> None:
    for name, text in texts.items():
        refuse_control(text, name)
        if len(text) > LETTERS:
            raise UserError(f"{name}: expected at most {LETTERS} letters, got {len(text)}")
