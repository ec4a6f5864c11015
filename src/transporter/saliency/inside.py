"""How much of a word's map lies on the thing that clips are about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch

from transporter.clips.world import Finder
from transporter.saliency.generated import SweepMaps
from transporter.saliency.scoring import PRESENT, average_precision, covered


def share_inside(maps: torch.Tensor, there: torch.Tensor) -> torch.Tensor:
    """Of what of maps `(B, F, h, w)` is above their frame's mean, the share in the tokens `there`,
    bool: `(B,)`, nan where there are none.
    """
    above = (maps - maps.mean((-1, -2), keepdim=True)).clamp_min(0)
    found = (above * there).flatten(1).sum(1) / above.flatten(1).sum(1).clamp_min(1e-9)
    return found.where(there.flatten(1).any(1), torch.nan)


@dataclass(frozen=True)
class Inside:
    """Where the thing is in the clips of a sweep, on a grid of tokens `(F, h, w)`."""

    world: Finder
    grid: tuple[int, int, int]
    there: dict[int, torch.Tensor] = field(default_factory=dict)
    """By the clip's row, `(F, h, w)` bool."""

    def watch(self, videos: Mapping[int, torch.Tensor]) -> None:
        """Find it in clips `(T, C, H, W)` in [0, 1], given by their rows."""
        thing = self.world.thing(torch.stack([*videos.values()]))
        found = covered(thing, self.grid) > PRESENT
        self.there.update(zip(videos, found, strict=True))

    def with_shares(self, found: SweepMaps) -> SweepMaps:
        """The same maps; of each clip, all of which have been watched, their index also says how
        much of the target's map lies on the thing that it is about, `inside`, how many of the
        tokens are on it, `base`, and the map's average precision for these, `ap`.
        """
        there = torch.stack([self.there[row] for row in found.index["row"]])
        columns = {
            "inside": share_inside(found.maps[:, 1], there).tolist(),
            "base": there.float().flatten(1).mean(1).tolist(),
            "ap": average_precision(found.maps[:, 1].flatten(1), there.flatten(1)).tolist(),
        }
        return replace(found, index=found.index.assign(**columns))
