"""The verb that explains a clip of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from transporter import __version__
from transporter.commands.terminal import (
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
    import pandas as pd

    from transporter.clips.clip import Clip
    from transporter.clips.contrast import Concept
    from transporter.explainer.counterfactual import Counterfactual
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

    from transporter.clips.reading import read_clip
    from transporter.clips.window import Window
    from transporter.explainer.explainer import Explainer
    from transporter.explainer.flip_search import PHI, otherwise
    from transporter.explainer.folder import PAGE, write_explanation

    with progress(4, quiet) as begin:
        begin("loading the models")
        explainer = Explainer.from_pretrained(configfile, generator, vlm, weights)
        frames, _, height, width = explainer.generator.video_shape
        reading = explainer.reading
        window = Window(reading.start if start is None else start, reading.seconds)
        size = (frames, height, width)
        read = read_clip(clip, size, explainer.generator.fps, window, reading.fit)
        chosen = _concept(explainer, question, words, concept)
        begin("editing")

        def edited_by(swap: tuple[str, str] | None) -> Counterfactual:
            return explainer.explain(read.video, chosen, caption, strengths or PHI, seed, swap=swap)

        found = edited_by(None)
        begin("looking at every swap of words")
        ranked = _ranked(explainer, read, found)
        other = None if ranked is None else otherwise(found, ranked, edited_by)
        begin("writing")
        details = _details(clip, read, found, explainer, seed)
        write_explanation(out, found, details, ranked, other)
    if not quiet:
        typer.echo(found.verdict)
        if other is not None:
            typer.echo(other.verdict)
        typer.echo(f"wrote {out / PAGE}; open it in a browser")


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

    return {path.name for path in folder.iterdir()} - set(FILES)


def _concept(
    explainer: Explainer,
    question: str | None,
    words: tuple[str, str] | None,
    name: str | None,
) -> Concept | str:
    """What is asked: a concept of the table, or words for a question of one's own."""
    from transporter.clips.contrast import Concept

    if name is not None:
        return name
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


def _ranked(explainer: Explainer, read: Clip, found: Counterfactual) -> pd.DataFrame | None:
    """Every swap of words; None where the caption holds no word of the table."""
    try:
        return explainer.discover(read.video, found.concept.question, found.caption)[1]
    except UserError:
        return None


def _details(
    clip: Path, read: Clip, found: Counterfactual, explainer: Explainer, seed: int
) -> dict[str, str]:
    frames, _, height, width = explainer.generator.video_shape
    return {
        "video": clip.name,
        "seconds": f"{read.times[0]:.2f} to {read.times[0] + read.seconds:.2f}",
        "frames": f"{frames} of {width} x {height}, made to fit by {explainer.reading.fit}",
        "generator": type(explainer.generator).__name__,
        "VLM": type(explainer.vlm).__name__,
        "question": found.concept.question,
        "caption": found.caption,
        "seed": str(seed),
        "transporter": __version__,
    }
