"""The verb that finds a word in a video: `locate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from transporter.commands.terminal import (
    ConfigFile,
    Force,
    GeneratorName,
    Quiet,
    VLMName,
    progress,
    refuse_output,
)
from transporter.support.errors import UserError
from transporter.support.text import refuse_control


def locate(
    clip: Annotated[Path, typer.Argument(help="A video.")],
    word: Annotated[str, typer.Option(help="The word to find.")],
    caption: Annotated[
        str | None, typer.Option(help="What the video shows; by default the VLM's own description.")
    ] = None,
    out: Annotated[Path, typer.Option(help="The folder to write.")] = Path("located"),
    generator: GeneratorName = None,
    vlm: VLMName = None,
    configfile: ConfigFile = None,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Find where and when a word is in a video, by the generator's attention: maps, and a video
    with the map laid over.
    """
    if not clip.is_file():
        raise UserError(f"{clip}: expected a video, found no such file")
    if out.is_file():
        raise UserError(f"--out: expected a folder, got {out}, which is a file")
    refuse_output(out, force)
    refuse_control(word, "--word")
    refuse_control(caption or "", "--caption")

    from transporter.explainer.explainer import Explainer
    from transporter.explainer.location import refuse_others

    refuse_others(out)

    with progress(3, quiet) as begin:
        begin("loading the models")
        explainer = Explainer.from_pretrained(configfile, generator, vlm)
        begin("reading the attention")
        location = explainer.locate(clip, word, caption)
        begin("writing")
        location.save(out)
    typer.echo(location)
    if not quiet:
        typer.echo(f"wrote {out}")
