"""The gallery once more, with maps of the target word to lay over its clips."""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd
import torch

from transporter.figures.gallery import page, page_data
from transporter.figures.overlay import over_frames, scale_colours, sheet
from transporter.support.errors import UserError
from transporter.support.files import written_whole

PLACES = ("method", "seed", "phi")
SHARES = ("inside", "base")
"""Columns of an index that are there where the world finds the thing in a clip."""


@dataclass(frozen=True)
class ConceptMaps:
    """Maps of a concept's target word in the clips of its sweep.

    Attributes:
        index: a row for each clip, columns `PLACES`; a clip at phi = 0 that several methods share
            has one. Where they are known also `SHARES`.
        maps: of these rows, `(rows, F, h, w)`.
        frames: of a clip.
    """

    index: pd.DataFrame
    maps: torch.Tensor
    frames: int

    def found(self) -> dict[tuple[str, int, float], int]:
        """Number of the row of every method, seed and phi; of any method's at phi = 0."""
        numbers: dict[tuple[str, int, float], int] = {}
        for number, row in enumerate(self.index.to_dict("records")):
            phi = _rounded(row["phi"])
            numbers["" if not phi else row["method"], int(row["seed"]), phi] = number
        return numbers


def write_mapped_gallery(
    folder: Path, gallery: Path, maps: Mapping[tuple[str, str, str], ConceptMaps]
) -> None:
    """Write a copy of `gallery` whose page also has maps, by generator, VLM and concept.

    Beside the clips it holds `maps/`, a picture for each seed that is played.

    Raises:
        UserError: the gallery is none, or shows a clip that the maps of its concept lack.
    """
    data = page_data((gallery / "index.html").read_text(encoding="utf-8"))
    with written_whole(folder) as partial:
        shutil.copytree(gallery, partial)
        data["map_colours"] = scale_colours()
        for sweep in data["sweeps"]:
            key = (sweep["generator"], sweep["vlm"], sweep["concept"])
            if key in maps:
                _add(sweep, maps[key], partial)
        (partial / "index.html").write_text(page(data), encoding="utf-8")


def _add(sweep: dict[str, Any], own: ConceptMaps, folder: Path) -> None:
    """Put the maps of a sweep into its data, and their pictures beside the page."""
    low, high = (float(end) for end in own.maps.aminmax())
    latent, height, width = own.maps.shape[1:]
    frames = over_frames(torch.arange(latent), own.frames).tolist()
    ends = {"low": _short(low), "high": _short(high)}
    sweep["map"] = {**ends, "height": height, "width": width, "frames": frames}
    numbers = own.found()
    for run in sweep["runs"]:
        rows = [_row(numbers, sweep, run["seed"], phi) for phi in run["phi"]]
        for name in SHARES if set(SHARES) <= set(own.index) else ():
            # an empty cell of a table from a file is text
            values = pd.to_numeric(own.index[name].iloc[rows], errors="coerce")
            run[name] = [_short(value) for value in values]
        if run["clips"]:
            parts = [sweep[part] for part in ("generator", "vlm", "concept")]
            path = Path("maps", *parts, f"{sweep['method']}-{run['seed']}.png")
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            sheet(own.maps[rows], low, high).save(folder / path)
            run["map"] = "/".join(quote(part, safe="") for part in path.parts)


def _row(
    numbers: Mapping[tuple[str, int, float], int],
    sweep: Mapping[str, Any],
    seed: int,
    phi: float | None,
) -> int:
    key = None if phi is None else (sweep["method"] if _rounded(phi) else "", seed, _rounded(phi))
    if key not in numbers:
        raise UserError(
            f"maps of {sweep['concept']}: expected one for {sweep['method']}, seed {seed}, phi"
            f" {phi}, got none; make the maps again"
        )
    return numbers[key]


def _rounded(phi: float) -> float:
    return round(float(phi), 6)


def _short(value: float) -> float | None:
    return float(f"{value:.4g}") if math.isfinite(value) else None
