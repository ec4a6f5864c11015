"""A change that acts where a word is, and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

from transporter.clips.contrast import Concept
from transporter.concepts.bank import ConceptBank
from transporter.generation.sweeps import Generated, full_change
from transporter.generators.base import Generator, Sampling
from transporter.generators.modulation import Modulation
from transporter.saliency.generated import SweepMaps

VECTOR, EVERYWHERE, MAP, OTHER_MAP = "transporter", "everywhere", "map", "another clip's map"


def places(maps: torch.Tensor) -> torch.Tensor:
    """Where words are, by maps `(..., F, h, w)`: the tokens above their frame's mean, bool."""
    return maps > maps.mean((-1, -2), keepdim=True)


def of_latent(tokens: torch.Tensor, generator: Generator) -> torch.Tensor:
    """Tokens `(..., F, h, w)` at the latent's places, `(..., t, h', w')` in 0 and 1."""
    sizes = generator.latent_shape[1:]
    for axis, size in zip((-3, -2, -1), sizes, strict=True):
        tokens = tokens.repeat_interleave(size // tokens.shape[axis], axis)
    return tokens.float()


def ends(swept: Generated) -> tuple[list[int], list[int]]:
    """Rows of the vector's latents at phi = 0 and at phi = 1, seed by seed."""
    table = swept.index[swept.index["method"] == VECTOR]
    by_phi = [table[table["phi"] == phi].sort_values("seed") for phi in (0, 1)]
    none, full = (part["row"].tolist() for part in by_phi)
    return none, full


def word_places(swept: Generated, found: SweepMaps) -> torch.Tensor:
    """Where each seed's words are, `(S, F, h, w)` bool: the source before the change, or the target
    after it.
    """
    none, full = ends(swept)
    return places(found.maps[none, 0]) | places(found.maps[full, 1])


@torch.no_grad()
def restricted(
    generator: Generator,
    swept: Generated,
    tokens: Mapping[str, torch.Tensor],
    concept: Concept,
    bank: ConceptBank,
    sampling: Sampling,
    seed: int = 0,
) -> dict[str, torch.Tensor]:
    """Latents at phi = 1 of the sweep's captions and noises, by name of where the vector acts, the
    tokens `(S, F, h, w)`: `(S, c, t, h, w)`.
    """
    table = swept.index[(swept.index["method"] == VECTOR) & (swept.index["phi"] == 0)]
    table = table.sort_values("seed")
    pairs = [concept.pair(caption) for caption in table["caption"]]
    minus, change = full_change(VECTOR, concept, pairs, generator, bank, seed)
    seeds: Sequence[int] = table["seed"].tolist()
    made = {}
    for name, some in tokens.items():
        where = of_latent(some, generator)
        parts = []
        for start in range(0, len(seeds), sampling.rows(1)):
            part = slice(start, start + sampling.rows(1))
            modulation = Modulation(change[part], where=where[part])
            parts.append(
                generator.sample(
                    minus[part], seeds[part], sampling.steps, sampling.guidance, modulation
                )
            )
        made[name] = torch.cat(parts)
    return made
