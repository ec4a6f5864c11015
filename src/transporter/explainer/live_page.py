"""What the buttons of the live explorer's page do. It and the page need Gradio, the extra
`serve`.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gradio as gr
import pandas as pd

from transporter.explainer.counterfactual import answer
from transporter.explainer.live import (
    Asked,
    LiveClip,
    LiveEdit,
    LiveExplorer,
)
from transporter.explainer.page import embedded, heat
from transporter.figures.overlay import overlay
from transporter.support.errors import UserError

COLUMNS = ("phi", "log_odds", "answer", "changed")


class LivePage:
    """What the page's buttons do, and how it shows what comes of it."""

    def __init__(self, explorer: LiveExplorer) -> None:
        self.explorer = explorer
        self.fps = explorer.explainer.generator.fps

    def sampled(self, name: str | None) -> tuple[Any, ...]:
        """A clip is picked."""
        return self._opened(lambda: self.explorer.sample(name)) if name else self._closed()

    def uploaded(self, path: str | None) -> tuple[Any, ...]:
        """A clip is uploaded."""
        if not path:
            return self._closed()
        return self._opened(lambda: self.explorer.open(path, Path(path).name))

    def part(self, key: str, start: float | None, seconds: float | None) -> tuple[Any, ...]:
        """Another part of the video is asked for."""
        return self._opened(lambda: self.explorer.part(key, start, seconds))

    def _opened(self, opened: Callable[[], LiveClip]) -> tuple[Any, ...]:
        """The clip's key, its picture, its part, its caption, and nothing tried yet."""
        with _errors():
            clip = opened()
            caption = self.explorer.caption(clip.key)
        text = (
            f"{clip.name}: {clip.begin:.2f} to {clip.end:.2f} s of {clip.whole:.2f} s, made to fit"
            f" by {clip.reading.fit}"
        )
        picture = _clips([(embedded(clip.video, self.fps), html.escape(text))])
        seconds = round(clip.end - clip.begin, 3)
        return clip.key, picture, clip.reading.start, seconds, caption, "", "", None

    def _closed(self) -> tuple[Any, ...]:
        return "", "", None, None, "", "", "", None

    def located(self, key: str, word: str | None, caption: str | None) -> str:
        """A word is looked for in the clip."""
        with _errors():
            found = self.explorer.located(key, (word or "").strip(), (caption or "").strip())
        place = found.location
        line = html.escape(f"{place}, {found.begin:.2f} to {found.end:.2f} s")
        return _clips([(embedded(overlay(place.video, place.place), self.fps), line)])

    def words(self, question: str | None, caption: str | None) -> tuple[str, str]:
        """The answers that the table of concepts has for a question."""
        return self.explorer.words(question or "", caption or "")

    def edit(self, key: str, *fields: Any) -> tuple[str, pd.DataFrame]:
        """One strength, the last of `fields`, is made."""
        *texts, phi = fields
        with _errors():
            asked = _asked(key, texts)
            edit = self.explorer.edit(asked, round(float(phi), 2))
            return self._edited(asked, edit, ""), self._table(asked)

    def least(
        self, key: str, *texts: Any, progress: gr.Progress | None = None
    ) -> tuple[str, pd.DataFrame]:
        """The least flip is looked for."""

        def report(done: int, most: int) -> None:
            if progress is not None:
                progress((done, most), desc="edits", unit="edits")

        with _errors():
            asked = _asked(key, texts)
            found = self.explorer.least(asked, report)
            if found is not None:
                return self._edited(asked, found, "The least flip found. "), self._table(asked)
            largest, note = self.explorer.edit(asked, 1.0), "No strength up to 1 flips the answer. "
            return self._edited(asked, largest, note), self._table(asked)

    def _edited(self, asked: Asked, edit: LiveEdit, note: str) -> str:
        change = self.explorer.change(asked)
        concept = change.concept
        source, target = html.escape(concept.source), html.escape(concept.target)
        answers = " ".join(
            f'{name}: <span class="{"target" if odds > 0 else "source"}">'
            f"{html.escape(answer(concept, odds))}</span> ({odds:.1f} nats for {target})."
            for name, odds in (
                ("The clip", change.log_odds),
                (f"At strength {edit.phi:.2f}", edit.log_odds),
            )
        )
        line = f"from {source} to {target}, strength {edit.phi:.2f}"
        clips = [
            (embedded(edit.video, self.fps), line),
            (
                embedded(heat(edit.difference), self.fps),
                f"where it differs: {edit.changed:.0%} of the pixels",
            ),
        ]
        return f"<p>{note}{answers}</p>{_clips(clips)}"

    def _table(self, asked: Asked) -> pd.DataFrame:
        """What has been tried of one change, by strength."""
        concept = self.explorer.change(asked).concept
        rows = [
            (edit.phi, edit.log_odds, answer(concept, edit.log_odds), edit.changed)
            for edit in self.explorer.tried(asked)
        ]
        return pd.DataFrame(rows, columns=list(COLUMNS)).round(3)


def _asked(key: str, texts: Sequence[Any]) -> Asked:
    question, first, second, caption = (str(text or "").strip() for text in texts)
    return Asked(key, question, (first, second), caption)


def _clips(clips: Sequence[tuple[str, str]]) -> str:
    """Clips by their addresses, each with a line below."""
    figures = (
        f'<figure><video src="{address}" autoplay loop muted playsinline controls></video>'
        f"<figcaption>{line}</figcaption></figure>"
        for address, line in clips
    )
    return f'<div class="clips">{"".join(figures)}</div>'


@contextmanager
def _errors() -> Iterator[None]:
    """What a user can mend is said on the page; anything else is no one's business there."""
    try:
        yield
    except UserError as error:
        raise gr.Error(html.escape(str(error)), print_exception=False) from None
