"""Where the settings, the models and the results of one checkout are, whatever the working folder.

Paths in settings are relative to the folder that Snakemake runs in. A person at a terminal or in a
notebook may stand elsewhere, so here they are looked up from the checkout that the settings are in.
"""

from __future__ import annotations

import difflib
import os
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transporter.clips.contrast import Concept, read_concepts
from transporter.pipeline.config import load_config
from transporter.support.errors import UserError

SETTINGS = Path("config", "config.yaml")
MARK = "Snakefile"
"""A folder that holds this file is a checkout."""
KINDS = {"generators": "generator", "vlms": "vlm"}


@dataclass(frozen=True)
class Project:
    """Checked settings, and the folder that their paths are relative to."""

    root: Path
    settings: dict[str, Any]

    @classmethod
    def open(cls, configfile: str | os.PathLike[str] | None = None, clips: bool = True) -> Project:
        """Read and check a file of settings; by default those of the checkout that the working
        folder or else this package is in.

        Its paths are relative to the working folder if that is a checkout, else to the checkout
        that the file is in, else to the working folder. Without `clips`, those that it names need
        not be there.

        Raises:
            UserError: no such file, or `load_config` refuses it.
        """
        path = _default() if configfile is None else Path(configfile)
        root = _root(path)
        shown = path if root == Path() else path.absolute()
        with chdir(root):
            return cls(root, load_config(shown, clips))

    def chosen(self, kind: str, name: str | None = None) -> str:
        """The name of one of the `generators` or `vlms` in the settings; by default the first that
        runs.

        Raises:
            UserError: the settings have none of that name.
        """
        name = name or self.settings["run"][kind][0]
        if name not in self.settings[kind]:
            known = ", ".join(self.settings[kind])
            raise UserError(f"{KINDS[kind]}: expected one of {known}, got {name!r}")
        return name

    def model(self, kind: str, name: str) -> dict[str, Any]:
        """The settings of one model; a folder of the checkout is named from the working folder."""
        chosen = self.settings[kind][name]
        return chosen | {"path": self._place(chosen["path"])}

    def _place(self, path: str) -> str:
        place = self.root / path
        return str(place) if place.exists() else path

    def concepts(self) -> dict[str, Concept]:
        """The table of concepts, by name."""
        concepts = read_concepts(self.root / self.settings["concepts"])
        return {concept.name: concept for concept in concepts}

    def coupling(self, generator: str, vlm: str) -> Path:
        """Where a run leaves the coupling network of two models."""
        return self.root / "results" / "coupling" / generator / vlm / "coupling.safetensors"

    def bank(self, generator: str, vlm: str) -> Path:
        """Where a run leaves the concept bank of two models."""
        return self.root / "results" / "concepts" / generator / vlm / "bank.safetensors"


def nearest(name: str, known: list[str]) -> str:
    """`; did you mean ...?`, or nothing where no known name is near."""
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _default() -> Path:
    """The settings of the checkout that the working folder or this package is in."""
    for folder in (Path(), *Path.cwd().parents, *Path(__file__).resolve().parents):
        if (folder / MARK).is_file() and (folder / SETTINGS).is_file():
            return folder / SETTINGS
    raise UserError(
        f"{SETTINGS}: expected settings here, in {Path.cwd()}, found no such file; run this in a"
        " clone of the project, or name a file of settings in one"
    )


def _root(path: Path) -> Path:
    for folder in (Path(), *path.absolute().parents):
        if (folder / MARK).is_file():
            return folder
    return Path()
