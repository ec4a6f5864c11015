"""Clips with the place and time of every word: truth for maps."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from microworld.attributes import draw_attributes
from microworld.language import caption
from microworld.renderer import FRAMES, SIZE, Layout, draw_layout, render
from microworld.splits import split_seed
from transporter.clips.world import Placed

OF_SPRITE = ("shape", "colour", "motion", "verb")
"""Kinds of words that are about the sprite; the verb of a clip that `moves left` is `moves`."""
VERBS = ("bounces", "spins")
_HALF = FRAMES // 2
WHOLE = np.arange(FRAMES)
FIRST = np.concatenate([np.arange(0, FRAMES, 2), np.full(_HALF, FRAMES - 1)])
SECOND = np.concatenate([np.zeros(_HALF, int), np.arange(0, FRAMES, 2)])
"""Moments of a path that frames show: all of it in the clip, in its first half, in its second."""


def placed(count: int, seed: int, held_out: bool) -> Iterator[Placed]:
    """What `transporter.clips.world.World.placed` promises."""
    own = split_seed(seed, f"places {held_out}")
    for index in range(count):
        moments = (WHOLE, FIRST, WHOLE, SECOND)[index % 4]
        yield _placed(np.random.default_rng([own, index]), moments, held_out)


def _placed(rng: np.random.Generator, moments: np.ndarray, held_out: bool) -> Placed:
    attributes = draw_attributes(rng, held_out)
    layout = draw_layout(attributes, rng).at(moments)
    frames, sprite = render(attributes, layout)
    words = attributes.words()
    verb = attributes.motion if attributes.motion in VERBS else "moves"
    below = np.arange(SIZE)[:, None] + 0.5 > layout.horizon
    masks = dict.fromkeys(OF_SPRITE, sprite) | {"ground": below & ~sprite}
    return Placed(
        video=torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 255,
        caption=caption(words),
        words=words | {"verb": verb},
        masks={kind: torch.from_numpy(mask) for kind, mask in masks.items()},
        moving=torch.from_numpy(_moving(layout)),
    )


def _moving(layout: Layout) -> np.ndarray:
    steps = [np.diff(path, prepend=path[:1]) for path in (layout.x, layout.y, layout.angle)]
    return np.any(np.abs(steps) > 0, axis=0)
