"""Models that a file of settings describes, with what a run has made of them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from transporter.clips.split import Reading
from transporter.concepts.bank import ConceptBank
from transporter.concepts.settings import BankSettings
from transporter.coupling.network import Coupling
from transporter.explainer.visual import loaded_lpips
from transporter.generators.base import Generator, Sampling
from transporter.pipeline import paths
from transporter.pipeline.loading import load_generator, load_vlm
from transporter.pipeline.project import Project
from transporter.pipeline.world import load_world
from transporter.support.errors import UserError


def pretrained(
    settings: str | os.PathLike[str] | None,
    generator: str | None,
    vlm: str | None,
    weights: str | os.PathLike[str] | None,
    device: torch.device | None,
) -> dict[str, Any]:
    """The fields of an `Explainer`, by the arguments of its `from_pretrained`.

    Raises:
        UserError: the settings are missing or wrong, or name no such model.
    """
    project = Project.open(settings)
    names = project.chosen("generators", generator), project.chosen("vlms", vlm)
    model, subject = project.model("generators", names[0]), project.model("vlms", names[1])
    if weights is not None and not Path(weights).is_dir():
        raise UserError(f"weights: expected a model's folder, got {weights}, which is not there")
    made = load_generator(model, device)
    given, clips = project.settings, project.settings["clips"]
    fields: dict[str, Any] = {
        "generator": made,
        "vlm": load_vlm(
            subject if weights is None else subject | {"path": os.fspath(weights)},
            made.video_shape,
            device,
            made.fps,
        ),
        "sampling": Sampling(model["steps"], model["guidance"]),
        "concepts": project.concepts(),
        "settings": BankSettings.from_mapping(given["bank"], given["seed"]),
        "clips": (
            load_world(given["world"])
            if clips["source"] == "world"
            else project.root / clips["folder"]
        ),
        "reading": Reading.of_settings(clips),
        "draws": given["explanations"]["draws"],
        "lpips": loaded_lpips(project.root / paths.filled(paths.WEIGHTS, weights="lpips")),
    }
    if weights is None and project.coupling(*names).is_file():
        coupling = Coupling.load(project.coupling(*names), made.device)
        fields["coupling"] = coupling.variant(output=given["coupling"]["output"])
    if weights is None and project.bank(*names).is_file():
        fields["bank"] = loaded_bank(project.bank(*names), made)
    return fields


def loaded_bank(path: str | os.PathLike[str], generator: Generator) -> ConceptBank:
    """A saved bank of a generator.

    Raises:
        UserError: no such file, or a bank of another generator.
    """
    loaded = ConceptBank.load(path, generator.device)
    loaded.check(generator.condition_shape, path)
    return loaded
