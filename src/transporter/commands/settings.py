"""Verbs about settings: `config`, `settings`, `concepts`."""

from __future__ import annotations

from dataclasses import astuple
from pathlib import Path
from typing import Annotated

import typer

from transporter.commands.terminal import ConfigFile, GeneratorName, VLMName, print_rows


def config(
    path: Annotated[
        Path | None,
        typer.Argument(help="A file of settings; by default config/config.yaml of this checkout."),
    ] = None,
) -> None:
    """Check a file of settings and print it with all defaults filled in."""
    import yaml

    from transporter.pipeline.project import Project

    typer.echo(yaml.safe_dump(Project.open(path).settings, sort_keys=False), nl=False)


def settings() -> None:
    """Print every key that a file of settings may hold, with its default and meaning, as a table in
    Markdown.
    """
    from transporter.pipeline.config import settings_table

    typer.echo(settings_table())


def concepts(
    generator: GeneratorName = None, vlm: VLMName = None, configfile: ConfigFile = None
) -> None:
    """List the concepts of the settings, and which of them the bank of a run holds."""
    from transporter.concepts.bank_names import bank_names
    from transporter.pipeline.project import Project

    project = Project.open(configfile)
    place = project.bank(project.chosen("generators", generator), project.chosen("vlms", vlm))
    fitted = bank_names(place) if place.is_file() else []
    table = project.concepts()
    rows = [(*astuple(row), "yes" if name in fitted else "no") for name, row in table.items()]
    print_rows(["concept", "kind", "phi = 0", "phi = 1", "question", "bank"], rows)
    if not fitted:
        typer.echo(f"no bank at {place}; a run makes it: `snakemake --cores all {place}`")
    elif others := sorted(set(fitted) - table.keys()):
        typer.echo(f"the bank also holds {', '.join(others)}")
