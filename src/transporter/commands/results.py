"""Verbs that hand results from one clone to another: `snapshot`, `restore`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def snapshot(
    push: Annotated[bool, typer.Option(help="Also send the bytes to the DVC remote.")] = True,
    configfile: Annotated[
        list[str] | None, typer.Option(help="Settings that the run was given; may be repeated.")
    ] = None,
) -> None:
    """Freeze the results of a finished run, for `restore` in another clone."""
    from transporter.pipeline import snapshot as freezing

    files = freezing.snapshot(Path.cwd(), push, configfile or ())
    typer.echo(f"snapshot ready; now `git add {' '.join(files)}` and commit")


def restore(
    pull: Annotated[
        bool, typer.Option(help="Fetch from the DVC remote; without it, only from the local cache.")
    ] = True,
    force: Annotated[bool, typer.Option("--force", help="Replace results kept nowhere.")] = False,
) -> None:
    """Bring back the results that a snapshot froze."""
    from transporter.pipeline import snapshot as freezing

    freezing.restore(Path.cwd(), pull, force)
    typer.echo("restored; `snakemake -n` tells what is left to do")
