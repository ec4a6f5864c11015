"""The whole table of a generator's maps against true masks: readings are compared on one set of
clips, and reported on another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pandas as pd
import torch

from transporter.clips.world import Placed
from transporter.generators.base import Generator
from transporter.saliency.benchmark import (
    BATCH,
    DEFAULT,
    Scene,
    maps_of,
    parts,
    rivals,
    scene,
    timed,
)
from transporter.saliency.scoring import average_precision
from transporter.saliency.settings import MapSettings, ReadingSettings
from transporter.saliency.sharpening import pixel_truth, sharpened, upsampled
from transporter.saliency.spectrum import layer_eigenvalues, layers_above
from transporter.saliency.table import (
    WHEN,
    clip_scores,
    controls,
    mean_precision,
    profiles,
    summary,
    thresholds,
    when_scores,
)

CHOOSING, REPORTED = "choosing", "reported"
BY_EIGENVALUE = f"{DEFAULT}, layers by eigenvalue"
LEAST = 0.75
"""The second eigenvalue of the paper's layers, for HunyuanVideo."""
ENOUGH = 16
"""Clips that eigenvalues are averaged over."""
Maps = Mapping[str, torch.Tensor]


def truth_table(
    generator: Generator,
    clips: Mapping[str, Sequence[Placed]],
    settings: MapSettings,
    reading: ReadingSettings,
    levels: Sequence[float],
    shifts: int,
    seed: int = 0,
    at_once: int = BATCH,
) -> pd.DataFrame:
    """One row for each part, reading and kind of word: `part`, the columns of `table.summary`, and
    `rank`, the place of the reading by its mean precision on the clips that choose.

    Args:
        clips: those that choose and those that are reported on.
        levels: further noise levels for the default.
        shifts: for maps finer than tokens, see `sharpening.sharpened`.
        at_once: clips that are encoded and read at once.
    """
    heads, layers = _counts(generator)
    able = rivals(settings, heads)
    scenes = {part: scene(generator, some, at_once) for part, some in clips.items()}
    slow = _slow_layers(generator, scenes[CHOOSING], reading)
    by_eigenvalue = {BY_EIGENVALUE: replace(settings, layers=slow)} if slow else {}
    maps = {}
    for part, found in scenes.items():
        compared = able | timed()
        if part == REPORTED:  # heads and layers of the default are no rivals
            compared |= parts(settings, heads, layers) | by_eigenvalue
        maps[part] = maps_of(generator, found, compared, reading, seed, at_once)
        print(f"{part}: {len(found.captions)} clips, {len(compared)} readings", flush=True)
    tables = [_table(part, scenes, maps) for part in scenes]
    of_default = (settings, reading, levels, seed, at_once)
    tables.append(_at_levels(generator, scenes[REPORTED], *of_default))
    own = clips[REPORTED]
    size = own[0].video.shape[-2:]
    finer = {1: upsampled(maps[REPORTED][DEFAULT], *size)}
    if shifts > 1:
        finer[shifts] = sharpened(generator, own, settings, reading, shifts, seed, at_once)
    truth = pixel_truth(generator, own)
    pixels = [_at_pixels(scenes[REPORTED], found, truth, number) for number, found in finer.items()]
    tables.append(summary(pd.concat(pixels), beside=_finer(1)))
    table = pd.concat(tables, ignore_index=True)
    table["part"] = table["part"].fillna(REPORTED)
    order = mean_precision(table[(table["part"] == CHOOSING) & table["reading"].isin(able)]).index
    ranks = {name: place for place, name in enumerate(order, start=1)}
    table.insert(0, "rank", table["reading"].map(ranks))
    table.insert(0, "part", table.pop("part"))
    return table


def _counts(generator: Generator) -> tuple[int, int]:
    """Heads and layers of a generator's transformer."""
    config = generator.config("transformer")
    return config.num_attention_heads, config.num_layers


def _slow_layers(generator: Generator, found: Scene, reading: ReadingSettings) -> tuple[int, ...]:
    """The layers whose attention mixes slowly, as the paper chooses them."""
    z_xi, sigma = found.z_xi[:ENOUGH], reading.sigmas[0]
    noise = torch.randn(z_xi.shape, generator=torch.Generator().manual_seed(0)).to(z_xi)
    pi = generator.encode_text(found.captions[:ENOUGH])
    z_t, levels = z_xi.lerp(noise, sigma), z_xi.new_full((len(z_xi),), sigma)
    eigenvalues = layer_eigenvalues(generator, z_t, levels, pi)
    print(f"second eigenvalues: {[round(float(one), 3) for one in eigenvalues]}", flush=True)
    return layers_above(eigenvalues, LEAST)


def _placed(maps: Maps) -> Maps:
    """The readings that ask where."""
    return {name: found for name, found in maps.items() if not name.startswith(WHEN)}


def _timed(maps: Maps) -> Maps:
    """The readings that ask when."""
    return {name: found for name, found in maps.items() if name.startswith(WHEN)}


def _table(part: str, scenes: Mapping[str, Scene], maps: Mapping[str, Maps]) -> pd.DataFrame:
    own, where = scenes[part], _placed(maps[part])
    chosen = thresholds(scenes[CHOOSING], _placed(maps[CHOOSING]))
    for name in (DEFAULT, "gramcol"):
        where = where | controls(own, name, where[name])
    placed = summary(clip_scores(own, where, chosen))
    levels = profiles(scenes[CHOOSING], _timed(maps[CHOOSING]))
    timed = summary(when_scores(own, _timed(maps[part]), levels))
    return pd.concat([placed, timed]).assign(part=part)


def _at_levels(
    generator: Generator,
    found: Scene,
    settings: MapSettings,
    reading: ReadingSettings,
    levels: Sequence[float],
    seed: int,
    at_once: int,
) -> pd.DataFrame:
    """The default at other noise levels, and averaged over all of them."""
    options = {f"at {level:g}": (level,) for level in levels}
    options["over all levels"] = (*levels,)
    maps = {}
    for name, sigmas in options.items():
        at_level = replace(reading, sigmas=sigmas)
        [maps[f"{DEFAULT}, {name}"]] = maps_of(
            generator, found, {"": settings}, at_level, seed, at_once
        ).values()
    return summary(clip_scores(found, maps, {}))


def _finer(shifts: int) -> str:
    return f"{DEFAULT}, pixels, {shifts} x {shifts} shifts"


def _at_pixels(found: Scene, maps: torch.Tensor, truth: torch.Tensor, shifts: int) -> pd.DataFrame:
    """Precision over pixels, of maps that are averaged over shifts of the clip."""
    rows = []
    for number, kind in enumerate(found.kinds[:-1]):
        known = found.known[:, number]
        there = truth[known, number].flatten(1)
        part = {"ap": average_precision(maps[known, number].flatten(1), there).tolist()}
        part["base"] = there.float().mean(1).tolist()
        about = {"reading": _finer(shifts), "kind": kind}
        rows.append(pd.DataFrame(about | {"clip": known.nonzero()[:, 0].tolist()} | part))
    return pd.concat(rows, ignore_index=True)
