"""Models that a file of settings describes, with what a run has made of them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from transporter.clips.layouts import clip_base, is_listed, listed
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
    world = load_world(given["world"])
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
        "words": world.words if world else {},
        "settings": BankSettings.from_mapping(given["bank"], given["seed"]),
        "clips": world if clips["source"] == "world" else _own_clips(project.root, clips),
        "reading": Reading.of_settings(clips),
        "draws": given["explanations"]["draws"],
        "pairs": given["explanations"]["pairs"],
        "lpips": loaded_lpips(project.root / paths.filled(paths.WEIGHTS, weights="lpips")),
    }
    if weights is None and project.coupling(*names).is_file():
        coupling = Coupling.load(project.coupling(*names), made.device)
        fields["coupling"] = coupling.variant(output=given["coupling"]["output"])
    if weights is None and project.bank(*names).is_file():
        fields["bank"] = loaded_bank(project.bank(*names), made)
    return fields


def _own_clips(root: Path, clips: Mapping[str, Any]) -> Path | list[tuple[str, Path]]:
    """A user's own clips: their folder, or of another layout their captions and files. Those in
    archives are files once a run has taken them out.
    """
    folder, layout = root / clips["folder"], clips["layout"]
    if layout == "captions" or not is_listed(folder, layout):
        return folder
    bases = [root / clip_base(clips["folder"], layout, split) for split in clips["splits"]]
    rows = listed(folder, layout).table.itertuples(index=False)
    return [(row.caption, _first_there([base / row.clip for base in bases])) for row in rows]


def _first_there(files: Sequence[Path]) -> Path:
    return next((file for file in files if file.is_file()), files[0])


def loaded_bank(path: str | os.PathLike[str], generator: Generator) -> ConceptBank:
    """A saved bank of a generator.

    Raises:
        UserError: no such file, or a bank of another generator.
    """
    loaded = ConceptBank.load(path, generator.device)
    loaded.check(generator.condition_shape, path)
    return loaded
