"""The page of the live explorer. It alone needs Gradio, the extra `serve`."""

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
    LONGEST,
    MEGABYTES,
    Asked,
    LiveClip,
    LiveEdit,
    LiveExplorer,
)
from transporter.explainer.page import embedded, heat
from transporter.figures.theme import SOURCE, TARGET
from transporter.support.errors import UserError

WAITING = 16
"""Requests that wait their turn; further ones are refused."""
VISITORS = 100
"""Sessions whose state is kept."""
OLD = 3600
"""Seconds after which an upload is deleted."""
ABOUT = (
    "Choose a clip and ask. *Least flip* looks for the smallest strength at which the VLM answers"
    " otherwise; *Edit* makes one strength. At strength 0 the clip comes back as the generator"
    " encodes it."
)
CSS = f"""
.source {{ color: {SOURCE}; font-weight: 600 }} .target {{ color: {TARGET}; font-weight: 600 }}
.clips {{ display: flex; gap: 16px; flex-wrap: wrap }} .clips figure {{ margin: 0; width: 240px }}
.clips video {{ width: 100%; image-rendering: pixelated; background: #d8dbde }}
"""
FONTS = ("system-ui", "sans-serif")
COLUMNS = ("phi", "log_odds", "answer", "changed")

Tried = dict[float, LiveEdit]


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

    def _opened(self, opened: Callable[[], LiveClip]) -> tuple[Any, ...]:
        """The clip's key, its picture, its caption, and nothing tried yet."""
        with _errors():
            clip = opened()
            caption = self.explorer.caption(clip.key)
        text = (
            f"{clip.name}: {clip.begin:.2f} to {clip.end:.2f} s of {clip.whole:.2f} s, made to fit"
            f" by {clip.fit}"
        )
        picture = _clips([(embedded(clip.video, self.fps), html.escape(text))])
        return clip.key, picture, caption, "", None

    def _closed(self) -> tuple[Any, ...]:
        return "", "", "", "", None

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


def _take_no_addresses(upload: gr.File) -> None:
    """Gradio fetches a file itself where a visitor names an address in place of one."""
    move = upload.async_move_resource_to_block_cache

    async def checked(path: str | Path | None) -> str | None:
        if "://" in str(path):
            raise gr.Error("expected a file", print_exception=False)
        return await move(path)

    # of this one: Gradio writes a file beside the code of every heir of its classes
    upload.async_move_resource_to_block_cache = checked


def blocks(explorer: LiveExplorer) -> gr.Blocks:
    """The page; it counts nobody and asks nothing of the network."""
    page = LivePage(explorer)
    with gr.Blocks(
        analytics_enabled=False, title="transporter", delete_cache=(OLD // 4, OLD)
    ) as made:
        gr.Markdown("# Why does the VLM answer so?\n" + ABOUT)
        key = gr.State("")
        with gr.Row():
            with gr.Column(scale=1):
                names = list(explorer.samples)
                sample = gr.Dropdown(names, value=None, label="A clip", visible=bool(names))
                upload = gr.File(
                    file_types=["video"], label=f"or a video of yours, up to {MEGABYTES} MB"
                )
                _take_no_addresses(upload)
                shown = gr.HTML()
            with gr.Column(scale=2):
                question = gr.Dropdown(
                    explorer.questions, value=None, label="Question", allow_custom_value=True
                )
                with gr.Row():
                    first, second = gr.Textbox(label="An answer"), gr.Textbox(label="Another")
                caption = gr.Textbox(label="What the clip shows, in words that hold an answer")
                phi = gr.Slider(-LONGEST, LONGEST, 0.5, step=0.05, label="Strength")
                with gr.Row():
                    least = gr.Button("Least flip", variant="primary")
                    edit = gr.Button("Edit")
                result = gr.HTML()
                table = gr.Dataframe(headers=list(COLUMNS), interactive=False, label="Tried")
        opened = [key, shown, caption, result, table]
        asked = [key, question, first, second, caption]
        events = {"concurrency_id": "models", "api_visibility": "private"}
        sample.input(page.sampled, sample, opened, **events)
        upload.upload(page.uploaded, upload, opened, **events)
        question.change(page.words, [question, caption], [first, second], api_visibility="private")
        edit.click(page.edit, [*asked, phi], [result, table], **events)
        phi.release(page.edit, [*asked, phi], [result, table], **events)

        def search(*fields: Any, progress: gr.Progress = gr.Progress()) -> Any:  # noqa: B008
            return page.least(*fields, progress=progress)

        least.click(search, asked, [result, table], **events)
    return made.queue(max_size=WAITING, api_open=False, default_concurrency_limit=1)


def launch(explorer: LiveExplorer, host: str, port: int) -> tuple[gr.Blocks, str]:
    """Serve the page to `host`'s callers from threads of its own; it, to be closed, and its
    address. `private.private_settings` must have been entered before this module is imported.
    """
    made = blocks(explorer)
    _, address, _ = made.launch(
        server_name=host,
        server_port=port,
        share=False,
        inbrowser=False,
        quiet=True,
        prevent_thread_lock=True,
        show_error=False,
        allowed_paths=[],
        max_file_size=MEGABYTES * 2**20,
        state_session_capacity=VISITORS,
        ssr_mode=False,
        mcp_server=False,
        pwa=False,
        enable_monitoring=False,
        run_history=False,
        footer_links=[],
        theme=gr.themes.Base(font=FONTS, font_mono=("monospace",)),
        css=CSS,
    )
    return made, address
