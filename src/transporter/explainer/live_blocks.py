"""The page of the live explorer: its parts, who may reach it, and what it takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from transporter.explainer.live import LONGEST, LiveExplorer
from transporter.explainer.live_clips import MEGABYTES
from transporter.explainer.live_page import COLUMNS, LivePage
from transporter.figures.theme import SOURCE, TARGET

WAITING = 16
"""Requests that wait their turn; further ones are refused."""
VISITORS = 100
"""Sessions whose state is kept."""
OLD = 3600
"""Seconds after which an upload is deleted."""
ABOUT = (
    "Choose a clip and ask. *Least flip* looks for the smallest strength at which the VLM answers"
    " otherwise; *Edit* makes one strength. At strength 0 the clip comes back as the generator"
    " encodes it. Of a long video choose a part; *Where is it* lays over it where the generator"
    " sees a word."
)
CSS = f"""
.source {{ color: {SOURCE}; font-weight: 600 }} .target {{ color: {TARGET}; font-weight: 600 }}
.clips {{ display: flex; gap: 16px; flex-wrap: wrap }} .clips figure {{ margin: 0; width: 240px }}
.clips video {{ width: 100%; image-rendering: pixelated; background: #d8dbde }}
"""
FONTS = ("system-ui", "sans-serif")


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
                with gr.Row():
                    start = gr.Number(None, label="From, in seconds", min_width=80)
                    seconds = gr.Number(None, label="How many", min_width=80)
                part = gr.Button("Read this part")
                word = gr.Textbox(label="A word")
                where = gr.Button("Where is it")
                place = gr.HTML()
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
        opened = [key, shown, start, seconds, caption, place, result, table]
        asked = [key, question, first, second, caption]
        events = {"concurrency_id": "models", "api_visibility": "private"}
        sample.input(page.sampled, sample, opened, **events)
        upload.upload(page.uploaded, upload, opened, **events)
        part.click(page.part, [key, start, seconds], opened, **events)
        where.click(page.located, [key, word, caption], place, **events)
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
