"""How much of a word's map lies on the thing that clips are about."""

from __future__ import annotations

from dataclasses import replace

import torch

from transporter.clips.world import Finder
from transporter.generation.sweeps import Generated
from transporter.generators.base import Generator
from transporter.saliency.generated import SweepMaps
from transporter.saliency.scoring import PRESENT, covered

AT_ONCE = 8
"""Clips that are decoded at once."""


def share_inside(maps: torch.Tensor, there: torch.Tensor) -> torch.Tensor:
    """Of what of maps `(B, F, h, w)` is above their frame's mean, the share in the tokens `there`,
    bool: `(B,)`, nan where there are none.
    """
    above = (maps - maps.mean((-1, -2), keepdim=True)).clamp_min(0)
    found = (above * there).flatten(1).sum(1) / above.flatten(1).sum(1).clamp_min(1e-9)
    return found.where(there.flatten(1).any(1), torch.nan)


@torch.no_grad()
def with_shares(
    generator: Generator, swept: Generated, found: SweepMaps, world: Finder
) -> SweepMaps:
    """The same maps; of each clip their index also says how much of the target's map lies on the
    thing that it is about, `inside`, and how many of the tokens are on it, `base`.
    """
    rows = swept.z_xi[found.index["row"].tolist()]
    masks = []
    for part in rows.split(AT_ONCE):
        video = generator.decode(part.to(generator.device)).clamp(0, 1)
        masks.append(covered(world.thing(video), generator.block_grid).cpu() > PRESENT)
    there = torch.cat(masks)
    columns = {
        "inside": share_inside(found.maps[:, 1], there).tolist(),
        "base": there.float().flatten(1).mean(1).tolist(),
    }
    return replace(found, index=found.index.assign(**columns))
