"""Maps of both words of a concept in the clips of its sweep, and whether a vector changes pixels
where these maps are.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch
from safetensors.torch import load_file, save_file

from transporter.clips.contrast import Concept
from transporter.generation.sweeps import Generated
from transporter.generators.base import Generator
from transporter.saliency.locating import renoised
from transporter.saliency.scoring import averaged
from transporter.saliency.settings import MapSettings, ReadingSettings
from transporter.saliency.words import Words
from transporter.support.files import read_table, write_table, written_whole

TOP = 0.2
"""The share of tokens that a map is said to point at."""
BATCH = 32
"""Clips at once."""
Watch = Callable[[Mapping[int, torch.Tensor]], None]
"""Looks at clips of a sweep by their rows."""


@dataclass(frozen=True)
class SweepMaps:
    """Maps of source and target word, `(rows, 2, F, h, w)`, of the latents of a sweep."""

    concept: Concept
    index: pd.DataFrame
    """Rows of the sweep's index, each latent once."""
    maps: torch.Tensor

    @classmethod
    def load(cls, folder: str | os.PathLike[str], concept: Concept) -> SweepMaps:
        """What `save` wrote."""
        found = load_file(Path(folder) / "maps.safetensors")
        index = read_table(Path(folder) / "index.tsv", ("row", "method", "seed", "phi"))
        return cls(concept, index, torch.stack([found["source"], found["target"]], 1))

    def save(self, folder: str | os.PathLike[str], changes: pd.DataFrame) -> None:
        """Write `maps.safetensors` (`source` and `target`, `(rows, F, h, w)`), the `index.tsv` that
        says what each row is, and `changes.tsv`.
        """
        with written_whole(folder) as partial:
            partial.mkdir(parents=True)
            words = zip(("source", "target"), self.maps.unbind(1), strict=True)
            tensors = {name: maps.contiguous() for name, maps in words}
            save_file(tensors, Path(partial) / "maps.safetensors")
            write_table(self.index, partial / "index.tsv")
            write_table(changes, partial / "changes.tsv")


def sweep_maps(
    generator: Generator,
    swept: Generated,
    concept: Concept,
    settings: MapSettings,
    reading: ReadingSettings,
    seed: int = 0,
    at_once: int = BATCH,
) -> SweepMaps:
    """Read every clip of a sweep twice: by the caption with the source word, for that word, and by
    that with the target. So many clips are read `at_once`.
    """
    index = swept.distinct().index.sort_values("row")
    pairs = [concept.pair(caption) for caption in index["caption"]]
    both = []
    for word, captions in zip(
        (concept.source, concept.target), zip(*pairs, strict=True), strict=True
    ):
        found = [
            _maps(
                generator,
                swept.z_xi[start : start + at_once],
                captions[start : start + at_once],
                word,
                settings,
                reading,
                seed,
            )
            for start in range(0, len(captions), at_once)
        ]
        both.append(torch.cat(found))
    return SweepMaps(concept, index, torch.stack(both, 1))


def _maps(
    generator: Generator,
    z_xi: torch.Tensor,
    captions: Sequence[str],
    word: str,
    settings: MapSettings,
    reading: ReadingSettings,
    seed: int,
) -> torch.Tensor:
    words = Words.of(generator, captions, [[word]] * len(captions))
    z_xi = z_xi.to(generator.device)
    [maps] = renoised(generator, z_xi, captions, words, [settings], reading, seed)
    return maps[:, 0].cpu()


@torch.no_grad()
def changes(
    generator: Generator,
    swept: Generated,
    found: SweepMaps,
    watch: Watch | None = None,
    at_once: int = BATCH,
) -> pd.DataFrame:
    """One row for each method and seed: the `share` of the change of pixels from phi = 0 to 1 that
    lies in the tokens which the maps of both words point at most (`TOP` of them, the source's map
    at phi = 0 and the target's at 1), and `share_other`, in those of the next seed's maps.

    Every clip is decoded once, those of one seed at a time, so many `at_once`. `watch` is shown
    them all, by their rows `(T, C, H, W)` in [0, 1]; without it only those at both ends are
    decoded.
    """
    tokens: dict[tuple[str, int], torch.Tensor] = {}
    for seed, table in swept.index.groupby("seed", sort=False):
        ends = table[table["phi"].isin((0, 1))]
        rows = (ends if watch is None else table)["row"].unique().tolist()
        videos = dict(zip(rows, _decoded(generator, swept.z_xi[rows], at_once), strict=True))
        if watch is not None:
            watch(videos)
        for method, part in ends.groupby("method", sort=False):
            none, full = part.sort_values("phi")["row"]
            change = (videos[full] - videos[none]).abs().mean(1)[None]  # (1, T, H, W)
            tokens[method, seed] = averaged(change, generator.block_grid).flatten()
    rows = []
    for method, table in swept.by_method():
        ends = [table[table["phi"] == phi].set_index("seed")["row"] for phi in (0, 1)]
        change = torch.stack([tokens[method, seed] for seed in ends[0].index])  # (seeds, N)
        maps = sum(found.maps[end.tolist(), word] for word, end in enumerate(ends)).flatten(1)
        own, other = (_share(change, some) for some in (maps, maps.roll(1, 0)))
        for number, seed in enumerate(ends[0].index):
            values = {"share": float(own[number]), "share_other": float(other[number])}
            rows.append({"concept": found.concept.name, "method": method, "seed": seed} | values)
    return pd.DataFrame(rows)


def _decoded(generator: Generator, z_xi: torch.Tensor, at_once: int) -> torch.Tensor:
    parts = z_xi.split(at_once)
    videos = [generator.decode(part.to(generator.device)).clamp(0, 1).cpu() for part in parts]
    return torch.cat(videos)


def _share(change: torch.Tensor, maps: torch.Tensor) -> torch.Tensor:
    """Of the change `(B, N)` in the highest tokens of maps `(B, N)`."""
    top = maps.topk(round(TOP * maps.shape[1]), dim=1).indices
    return change.gather(1, top).sum(1) / change.sum(1).clamp_min(1e-9)
