"""Verbs that make or read videos: `generate`, `sweep`, `discover`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from transporter.commands.terminal import (
    ConfigFile,
    Force,
    GeneratorName,
    Quiet,
    VLMName,
    number,
    print_table,
    progress,
    refuse_output,
    share,
    two,
    warn,
)
from transporter.support.errors import UserError
from transporter.support.text import refuse_control

if TYPE_CHECKING:
    from transporter.clips.contrast import Concept
    from transporter.concepts.bank import ConceptBank
    from transporter.generators.base import Generator

VIDEO = ".mp4"
Caption = Annotated[str, typer.Argument(help="What the video shows.")]
Seed = Annotated[int, typer.Option(help="Seed of the noise.", min=0, max=2**32 - 1)]
Steps = Annotated[
    str,
    typer.Option(help="FIRST:LAST, the share of the sampling steps in which the concepts act."),
]
Frames = Annotated[
    str, typer.Option(help="FIRST:LAST, the share of the latent frames in which they act.")
]


def _warn_beyond(option: str, phi: float) -> None:
    if not 0 <= phi <= 1:
        warn(
            f"{option}: {phi:g} lies outside of 0 (source) to 1 (target), the strengths that"
            " vectors are fitted at; the video may fall apart"
        )


def _strengths(texts: list[str]) -> dict[str, float]:
    strengths: dict[str, float] = {}
    for text in texts:
        name, value = two(text, "--concept", "NAME=PHI such as slowly_quickly=0.5", "=")
        if name in strengths:
            raise UserError(f"--concept: expected each concept once, got {name} twice")
        strengths[name] = number(value, "--concept")
        _warn_beyond(f"--concept {name}", strengths[name])
    return strengths


def _warn_lacking(
    known: Mapping[str, Concept],
    bank: ConceptBank,
    names: Collection[str],
    caption: str,
    generator: Generator,
) -> None:
    for name in names:
        lacks = name in known and known[name].swap(caption) is None
        if lacks and not bank.comes_in(name, generator.encode_text([caption])).any():
            warn(
                f"--concept {name}: expected {known[name].source!r} in the caption, once, since"
                " that is the word that it changes; elsewhere it may change another one"
            )


def _ranges(steps: str, frames: str) -> dict[str, tuple[float, float]]:
    return {"steps": share(steps, "--steps"), "frames": share(frames, "--frames")}


def _refuse_output(out: Path, force: bool) -> None:
    if out.suffix.lower() != VIDEO or out.is_dir():
        raise UserError(f"--out: expected the name of a file that ends in {VIDEO}, got {out}")
    refuse_output(out, force)


def _bank(place: Path, concepts: Collection[str]) -> ConceptBank:
    """The bank that a run has fitted, which must have the concepts; an empty one for none."""
    from transporter.concepts.bank import ConceptBank
    from transporter.pipeline.project import nearest

    if not concepts:
        return ConceptBank({})
    bank = ConceptBank.load(place)
    for concept in concepts:
        if concept not in bank.vectors:
            raise UserError(
                f"--concept: expected one of {', '.join(bank.vectors)}, got {concept!r}"
                f"{nearest(concept, list(bank.vectors))}"
            )
    return bank


def generate(
    caption: Caption,
    concept: Annotated[
        list[str] | None,
        typer.Option(help="NAME=PHI: a concept of the bank and its strength; may be repeated."),
    ] = None,
    out: Annotated[Path, typer.Option(help="The mp4 to write.")] = Path("video.mp4"),
    seed: Seed = 0,
    steps: Steps = "0:1",
    frames: Frames = "0:1",
    where: Annotated[
        Literal["map"] | None,
        typer.Option(help="`map` lets concepts act only where the generator sees their words."),
    ] = None,
    generator: GeneratorName = None,
    vlm: VLMName = None,
    configfile: ConfigFile = None,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Generate one video at chosen concept strengths, with the bank that a run has fitted."""
    strengths = _strengths(concept or [])
    ranges = _ranges(steps, frames)
    if where and not strengths:
        raise UserError("--where: expected a --concept whose words have places, got none")
    _refuse_output(out, force)
    refuse_control(caption, "caption")

    from transporter.clips.writing import write_video
    from transporter.generation.sweeps import generate
    from transporter.generators.base import Sampling
    from transporter.generators.wording import readable
    from transporter.pipeline.loading import load_generator
    from transporter.pipeline.project import Project

    project = Project.open(configfile)
    name, subject = project.chosen("generators", generator), project.chosen("vlms", vlm)
    place = project.bank(name, subject)
    bank = _bank(place, strengths)
    settings = project.model("generators", name)
    with progress(3, quiet) as begin:
        begin("loading the generator")
        model = load_generator(settings)
        if strengths:
            bank.check(model.condition_shape, place)
        caption = readable(model, caption)
        known, words = project.concepts(), []
        if where:
            from transporter.explainer.by_place import acting_words, generate_by_place

            words = acting_words(known, strengths, caption)
        _warn_lacking(known, bank, strengths, caption, model)
        begin(f"sampling, {settings['steps']} steps")
        sampling = Sampling(settings["steps"], settings["guidance"])
        asked = (caption, strengths, seed, sampling)
        if words:
            video = generate_by_place(model, bank, words, *asked, **ranges)
        else:
            video = generate(model, bank, *asked, **ranges)
        begin("writing")
        write_video(out, video, model.fps)
    if not quiet:
        typer.echo(f"wrote {out}")


def sweep(
    caption: Caption,
    concept: Annotated[str, typer.Option(help="A concept of the bank.")],
    phi: Annotated[
        list[float] | None, typer.Option(help="A strength; may be repeated. By default 0, 0.5, 1.")
    ] = None,
    out: Annotated[Path, typer.Option(help="The folder to write.")] = Path("sweep"),
    fit: Annotated[
        bool,
        typer.Option("--fit", help="Fit the concept quickly first: a first look, no run's vector."),
    ] = False,
    seed: Seed = 0,
    steps: Steps = "0:1",
    frames: Frames = "0:1",
    generator: GeneratorName = None,
    vlm: VLMName = None,
    configfile: ConfigFile = None,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Sweep a concept's strength from one noise: clips, a filmstrip, and the VLM's answers."""
    phis = phi or [0.0, 0.5, 1.0]
    for value in phis:
        _warn_beyond("--phi", number(str(value), "--phi"))
    if len(set(phis)) < len(phis):
        raise UserError(f"--phi: expected each strength once, got {', '.join(map(str, phis))}")
    ranges = _ranges(steps, frames)
    if out.is_file():
        raise UserError(f"--out: expected a folder, got {out}, which is a file")
    refuse_output(out, force)
    refuse_control(caption, "caption")

    from transporter.explainer.explainer import Explainer
    from transporter.explainer.explanation import refuse_others

    refuse_others(out)

    with progress(4, quiet) as begin:
        begin("loading the models")
        explainer = Explainer.from_pretrained(configfile, generator, vlm)
        begin("fitting")
        if fit:
            explainer.fit(concept, verbose=False)
        begin("sampling")
        explanation = explainer.sweep(caption, concept, phis, seed, **ranges)
        begin("writing")
        explanation.save(out)
    if not quiet:
        typer.echo(explanation)
        typer.echo(f"wrote {out}")


def discover(
    clip: Annotated[Path, typer.Argument(help="A video.")],
    question: Annotated[str, typer.Option(help="What the VLM is asked.")],
    caption: Annotated[
        str | None, typer.Option(help="What the video shows; by default the VLM's own description.")
    ] = None,
    generator: GeneratorName = None,
    vlm: VLMName = None,
    weights: Annotated[
        Path | None, typer.Option(help="Other weights of the VLM, a planted one's for instance.")
    ] = None,
    top: Annotated[int, typer.Option(help="How many words to show.", min=1)] = 12,
    configfile: ConfigFile = None,
    quiet: Quiet = False,
) -> None:
    """Rank words by how far their smallest visual change moves the VLM's answer about a video;
    nothing is fitted.
    """
    if not clip.is_file():
        raise UserError(f"{clip}: expected a video, found no such file")
    refuse_control(question, "--question")
    refuse_control(caption or "", "--caption")

    from transporter.explainer.explainer import Explainer

    with progress(2, quiet) as begin:
        begin("loading the models")
        explainer = Explainer.from_pretrained(configfile, generator, vlm, weights)
        begin("looking at every swap of words")
        answer, table = explainer.discover(clip, question, caption)
    typer.echo(f"{question} {answer}")
    print_table(table.head(top))
