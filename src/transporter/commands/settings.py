"""Verbs about settings: `config`, `settings`, `concepts`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
import yaml

from transporter.commands.terminal import ConfigFile, GeneratorName, VLMName, print_table


def config(
    path: Annotated[
        Path | None,
        typer.Argument(help="A file of settings; by default config/config.yaml of this checkout."),
    ] = None,
) -> None:
    """Check a file of settings and print it with all defaults filled in."""
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
    import pandas as pd

    from transporter.concepts.bank import ConceptBank
    from transporter.pipeline.project import Project

    project = Project.open(configfile)
    place = project.bank(project.chosen("generators", generator), project.chosen("vlms", vlm))
    fitted = ConceptBank.load(place).vectors if place.is_file() else {}
    table = project.concepts()
    rows = [
        (concept.name, concept.kind, concept.source, concept.target, concept.question)
        for concept in table.values()
    ]
    shown = pd.DataFrame(rows, columns=["concept", "kind", "phi = 0", "phi = 1", "question"])
    print_table(shown.assign(bank=["yes" if name in fitted else "no" for name in table]))
    if not fitted:
        typer.echo(f"no bank at {place}; a run makes it: `snakemake --cores all {place}`")
    elif others := sorted(fitted.keys() - table.keys()):
        typer.echo(f"the bank also holds {', '.join(others)}")
