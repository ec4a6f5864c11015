"""The verb `plan`: what a run takes, before anything is downloaded or computed."""

from __future__ import annotations

from contextlib import chdir
from dataclasses import replace
from typing import Annotated

import typer

from transporter.commands.terminal import ConfigFile, print_rows


def plan(
    configfile: ConfigFile = None,
    memory: Annotated[str, typer.Option(help="Of a device, such as 24GB.")] = "80GB",
    cpu: Annotated[bool, typer.Option("--cpu", help="Of a run without a GPU.")] = False,
    truth: Annotated[bool, typer.Option("--truth", help="And of the target truth.")] = False,
    saliency: Annotated[
        bool, typer.Option("--saliency", help="And of the target saliency.")
    ] = False,
) -> None:
    """Tell what a run takes by its models' configurations alone: memory of each rule, jobs, disk.

    The exit code is 1 where a rule does not fit.
    """
    from transporter.pipeline.project import Project

    project = Project.open(configfile, clips=False)
    # takes seconds to import, which wrong settings need not wait for
    from transporter.pipeline.memory_plan import (
        memory_bytes,
        memory_plan,
        saliency_needs,
        size,
        truth_needs,
    )

    room = memory_bytes(memory)
    named = project.settings["run"]["concepts"]
    concepts = len(project.concepts() if named == "all" else named)
    with chdir(project.root):
        run = (project.settings, room, not cpu, concepts)
        made = memory_plan(*run)
        asked = ((truth, truth_needs), (saliency, saliency_needs))
        more = [need for wanted, needs in asked if wanted for need in needs(*run)]
        made = replace(made, needs=[*made.needs, *more])
    rows = [
        (model, part, size(count))
        for model, parts in made.parts.items()
        for part, count in parts.items()
    ]
    print_rows(["model", "part", "weights"], rows)
    rows = [
        (
            f"{need.generator}, {need.vlm}",
            need.rule,
            need.jobs or "",
            need.clips,
            size(need.device),
            size(need.host),
            need.advice or "fits",
        )
        for need in made.needs
    ]
    print_rows(["models", "rule", "jobs", "at once", "device", "host", f"in {memory}"], rows)
    of_thousand = " for each 1,000 clips" if made.thousand else ""
    typer.echo(f"embeddings on disk: {size(made.embeddings)}{of_thousand}; hours: not measured")
    if not made.fits:
        raise typer.Exit(1)
