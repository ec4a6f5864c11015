"""Batches show what a family's own processor looks at."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from microworld.attributes import WORDS
from microworld.clips import Clips
from microworld.renderer import FRAMES, SIZE
from microworld.training import world as module
from microworld.training.families import FAMILIES, sampled_frames, untrained
from transporter.vlms.transformers_vlm import TransformersVLM


@pytest.fixture(scope="module", params=FAMILIES)
def vlm(request: pytest.FixtureRequest) -> TransformersVLM:
    return untrained(request.param, seed=0)


@pytest.fixture(scope="module")
def world(vlm: TransformersVLM) -> module.World:
    return module.World(vlm)


def test_tokens_depend_on_the_sampled_frames_alone(vlm: TransformersVLM) -> None:
    frames = sampled_frames(vlm)
    others = np.setdiff1d(np.arange(FRAMES), frames)
    assert len(others) > 0
    video = torch.rand(1, FRAMES, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    hidden = video.clone()
    hidden[:, others] = 0
    with torch.no_grad():
        tokens = vlm.encode(video)
        torch.testing.assert_close(vlm.encode(hidden), tokens)
        for step in frames:
            changed = video.clone()
            changed[:, step] = 0
            moved = (vlm.encode(changed) - tokens).abs().sum(-1).view(len(frames), -1).sum(1) > 1e-4
            # the tokens of this step, and of no other
            assert moved.tolist() == [bool((other == step).all()) for other in frames]


def test_training_shows_rendered_clips_where_the_vlm_looks(
    vlm: TransformersVLM, world: module.World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "augment", lambda video, generator: video)
    batch = world.draw(2, 0, np.random.default_rng(3), torch.Generator().manual_seed(0))
    clips = Clips.draw(2, np.random.default_rng(3))
    assert batch.clips.attributes == clips.attributes
    with torch.no_grad():
        torch.testing.assert_close(vlm.encode(batch.video), vlm.encode(clips.video()))
    assert batch.shapes.shape == (2, vlm.tokens_shape[0])


def test_a_token_is_told_the_shape_where_and_when_the_sprite_is(world: module.World) -> None:
    clips = Clips.draw(3, np.random.default_rng(0))
    side, (steps, frames) = world.side, world.frames.shape
    masks = torch.zeros(3, steps * frames, SIZE, SIZE, dtype=torch.bool)
    masks[:, :frames, : SIZE // side, -SIZE // side :] = True  # the first step's upper right cell
    shapes = world._shapes(masks, clips.attributes).view(3, steps, side, side)
    assert shapes[:, 0, 0, -1].tolist() == [
        1 + WORDS["shape"].index(a.shape) for a in clips.attributes
    ]
    assert shapes.count_nonzero() == 3
