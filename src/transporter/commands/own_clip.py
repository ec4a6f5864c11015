"""The verb that explains a clip of one's own."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from transporter.commands.terminal import (
    LARGEST,
    ConfigFile,
    Force,
    GeneratorName,
    Quiet,
    VLMName,
    number,
    progress,
    refuse_output,
)
from transporter.support.errors import UserError
from transporter.support.text import refuse_control

if TYPE_CHECKING:
    from transporter.clips.contrast import Concept
    from transporter.explainer.explainer import Explainer


def explain(
    clip: Annotated[Path, typer.Argument(help="A video.")],
    question: Annotated[
        str | None, typer.Option(help="What the VLM is asked, such as 'how fast does it move ?'.")
    ] = None,
    words: Annotated[
        tuple[str, str] | None,
        typer.Option(
            help="Two answers to the question; by default those of the table of concepts."
        ),
    ] = None,
    concept: Annotated[
        str | None, typer.Option(help="A concept of the table, in place of question and words.")
    ] = None,
    caption: Annotated[
        str | None, typer.Option(help="What the video shows; by default the VLM's own description.")
    ] = None,
    phi: Annotated[
        list[float] | None,
        typer.Option(help="A strength to try; may be repeated. By default 0, 0.25, 0.5, 0.75, 1."),
    ] = None,
    start: Annotated[
        float | None,
        typer.Option(
            help="Where in the video to begin, in seconds; by default as the settings say."
        ),
    ] = None,
    where: Annotated[
        Literal["map"] | None,
        typer.Option(help="`map` edits only where the generator sees the word that gives way."),
    ] = None,
    windows: Annotated[
        str,
        typer.Option(help="Parts of a long video to explain, side by side: a number, or all."),
    ] = "1",
    seed: Annotated[int, typer.Option(help="Seed of the noise.", min=0, max=2**32 - 1)] = 0,
    out: Annotated[Path, typer.Option(help="The folder to write.")] = Path("explanation"),
    generator: GeneratorName = None,
    vlm: VLMName = None,
    weights: Annotated[
        Path | None, typer.Option(help="Other weights of the VLM, a planted one's for instance.")
    ] = None,
    configfile: ConfigFile = None,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Why does the VLM answer so about this video? Edit it until the answer flips, by the least
    change, and show both on a page; no run is needed.
    """
    _refuse(clip, question, words, concept, caption, start, out, force)
    strengths = [number(str(value), "--phi") for value in phi or []]
    most = _count(windows)

    from transporter.explainer.explainer import Explainer
    from transporter.explainer.flip_search import PHI
    from transporter.explainer.folder import PAGE
    from transporter.explainer.windows import Request, explain_windows, write_windows

    with progress(3, quiet) as begin:
        begin("loading the models")
        explainer = Explainer.from_pretrained(configfile, generator, vlm, weights)
        asked = _concept(explainer, question, words, concept)
        request = Request(clip, asked, caption, tuple(strengths or PHI), seed, where)
        begin("editing")
        made = []
        for window in explain_windows(explainer, request, start, most):
            made.append(window)
            begin(f"editing, {window.seconds} done")
        begin("writing")
        write_windows(out, request, made)
    if not quiet:
        for window in made:
            typer.echo(window.verdict if len(made) == 1 else f"{window.seconds}: {window.verdict}")
        typer.echo(f"wrote {out / PAGE}; open it in a browser")


def _count(windows: str) -> int:
    """How many windows at most; 0 for all."""
    if windows == "all":
        return 0
    if not windows.isdecimal() or not 1 <= int(windows) <= LARGEST:
        raise UserError(f"--windows: expected 1 to {LARGEST}, or all, got {windows!r}")
    return int(windows)


def _refuse(
    clip: Path,
    question: str | None,
    words: tuple[str, str] | None,
    concept: str | None,
    caption: str | None,
    start: float | None,
    out: Path,
    force: bool,
) -> None:
    """Bad arguments, before anything is loaded."""
    if not clip.is_file():
        raise UserError(f"{clip}: expected a video, found no such file")
    if (question is None) == (concept is None):
        raise UserError("expected either --question or --concept")
    if words and question is None:
        raise UserError("--words: expected a --question that they answer")
    if words and words[0] == words[1]:
        raise UserError(f"--words: expected two different words, got {words[0]!r} twice")
    if start is not None and number(str(start), "--start") < 0:
        raise UserError(f"--start: expected at least 0 seconds, got {start:g}")
    given = {"--question": question, "--caption": caption, "--words": " ".join(words or ())}
    for name, text in given.items():
        refuse_control(text or "", name)
    if out.is_file():
        raise UserError(f"--out: expected a folder, got {out}, which is a file")
    refuse_output(out, force)
    if others := _strangers(out):
        raise UserError(
            f"--out: expected a new folder, or one of an earlier explanation, got {out}, which also"
            f" holds {min(others)}"
        )


def _strangers(folder: Path) -> set[str]:
    """Files of a folder that no explanation writes."""
    if not folder.is_dir():
        return set()
    from transporter.explainer.folder import FILES

    names = {path.name for path in folder.iterdir()}
    return {name for name in names - set(FILES) if not re.fullmatch(r"\d{2,}", name)}


def _concept(
    explainer: Explainer,
    question: str | None,
    words: tuple[str, str] | None,
    name: str | None,
) -> Concept:
    """What is asked: a concept of the table, or words for a question of one's own."""
    from transporter.clips.contrast import Concept
    from transporter.explainer.names import known_concept

    if name is not None:
        return known_concept(name, explainer.concepts)
    assert question is not None
    if words:
        return Concept("own", "object", *words, question)
    known = [c for c in explainer.concepts.values() if c.question == question]
    if not known:
        asked = ", ".join(sorted({repr(c.question) for c in explainer.concepts.values()}))
        raise UserError(
            f"--question: expected one of the table of concepts ({asked}), got {question!r}; or"
            " give two answers by --words"
        )
    if len(known) > 1:
        pairs = ", ".join(c.name for c in known)
        raise UserError(f"--question: several concepts answer it; choose by --concept: {pairs}")
    return known[0]
