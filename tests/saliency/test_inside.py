"""The share of a map on a thing, on maps whose shares are known."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest
import torch

from transporter.clips.contrast import Concept
from transporter.saliency.generated import SweepMaps
from transporter.saliency.inside import Inside, share_inside


def test_what_is_above_a_frames_mean_is_shared_out() -> None:
    maps = torch.zeros(3, 2, 2, 2)
    maps[:, 0] = torch.tensor([[3.0, 1.0], [0.0, 0.0]])  # above its mean of 1: 2 at one token
    maps[:, 1] = torch.tensor([[0.0, 6.0], [6.0, 0.0]])  # 3 at two tokens
    there = torch.zeros(3, 2, 2, 2, dtype=torch.bool)
    there[0, 0, 0, 0] = there[0, 1, 0, 1] = True
    there[1] = True
    found = share_inside(maps, there)
    assert found[:2].tolist() == pytest.approx([5 / 8, 1])
    assert found[2].isnan()
    assert torch.equal(share_inside(maps + 7, there)[:2], found[:2])


class Left:
    """A world whose thing fills the left half of every clip."""

    def thing(self, video: torch.Tensor) -> torch.Tensor:
        found = torch.zeros_like(video[:, :, 0], dtype=torch.bool)
        found[..., : video.shape[-1] // 2] = True
        return found


def test_shares_stand_beside_their_maps() -> None:
    index = pd.DataFrame({"row": [2, 0], "method": "random", "seed": [0, 1], "phi": 0.0})
    maps = torch.zeros(2, 2, 3, 4, 4)
    maps[0, 1, ..., :2] = maps[1, 1, ..., 2:] = 1
    concept = Concept("a_b", "object", "a", "b", "what is it ?")
    inside = Inside(Left(), (3, 4, 4))
    for rows in ((0, 1), (2,)):
        inside.watch({row: torch.rand(5, 3, 16, 16) for row in rows})
    found = inside.with_shares(SweepMaps(concept, index, maps))
    assert found.index["inside"].tolist() == [1, 0]
    assert found.index["base"].tolist() == [0.5, 0.5]
    assert found.index["ap"].tolist() == [1, 0.5]  # all tokens of no map count together
    assert replace(found, index=index).index is index
