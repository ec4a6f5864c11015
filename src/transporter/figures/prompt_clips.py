"""Clips of prompts with their words' maps: arrays, overlays and an index."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import torch
from safetensors.torch import save_file

from transporter.clips.writing import write_video
from transporter.figures.overlay import overlay
from transporter.generators.base import Generator
from transporter.saliency.prompted import Prompted
from transporter.support.files import write_table, written_whole

PLACE, TIME = "place", "time"


@torch.no_grad()
def write_prompted(
    folder: str | os.PathLike[str],
    generator: Generator,
    found: Mapping[int, Prompted],
    rows: pd.DataFrame,
    lacks: Mapping[int, str],
) -> None:
    """Write `maps.safetensors` (`1/0/place` and `1/0/time` of prompt 1 and seed 0, `(n, F, h, w)`),
    `clips/1/0.mp4` and with the map of each word laid over `clips/1/0_1.mp4`, the `index.tsv` that
    says what each map is (`rows`, as `measured` has them, with the `caption`, the `row` in the
    array, the `map` and the `overlay`), and the prompts that were left out, `failed.tsv`.
    """
    with written_whole(folder) as partial:
        partial.mkdir(parents=True)
        maps = {}
        for number, some in found.items():
            for place, seed in enumerate(some.seeds):
                _write_clip(partial / _stem(number, seed), generator, some, place)
                maps[f"{number}/{seed}/{PLACE}"] = some.place[place].contiguous()
                maps[f"{number}/{seed}/{TIME}"] = some.time[place].contiguous()
        save_file(maps, partial / "maps.safetensors")
        write_table(_index(found, rows), partial / "index.tsv")
        left_out = pd.DataFrame(list(lacks.items()), columns=["prompt", "reason"])
        write_table(left_out, partial / "failed.tsv")


def _stem(number: int, seed: int) -> str:
    return f"clips/{number}/{seed}"


def _write_clip(stem: Path, generator: Generator, some: Prompted, place: int) -> None:
    stem.parent.mkdir(parents=True, exist_ok=True)
    video = generator.decode(some.z_xi[place : place + 1].to(generator.device))[0].clamp(0, 1)
    write_video(stem.with_name(f"{stem.name}.mp4"), video, generator.fps)
    for word, maps in enumerate(some.place[place], start=1):
        path = stem.with_name(f"{stem.name}_{word}.mp4")
        write_video(path, overlay(video, maps), generator.fps)


def _index(found: Mapping[int, Prompted], rows: pd.DataFrame) -> pd.DataFrame:
    places = rows.groupby(["prompt", "seed"]).cumcount()
    stems = [_stem(*row) for row in zip(rows["prompt"], rows["seed"], strict=True)]
    overlays = [f"{stem}_{place + 1}.mp4" for stem, place in zip(stems, places, strict=True)]
    maps = [stem.removeprefix("clips/") for stem in stems]
    return rows.assign(
        caption=[found[number].prompt.text for number in rows["prompt"]],
        map=maps,
        row=places,
        overlay=overlays,
    )
