"""What teaches the VLM: batches that match what its own processor would show it, and a training that resumes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from transporter.microworld.attributes import WORDS, draw_attributes
from transporter.microworld.renderer import FRAMES, draw_layout, render
from transporter.microworld.training import vlm as training
from transporter.microworld.training.vlm_model import CELL, SAMPLED, TOKENS, TUBELET, build_processor


@pytest.fixture
def world(tmp_path: Path) -> training._World:
    return training._World(tmp_path / "no VAE is needed")


def test_training_shows_the_frames_that_the_processor_samples(world: training._World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "augment", lambda video, generator: video)
    batch = world.draw(2, 0, np.random.default_rng(3), torch.Generator().manual_seed(0))
    rng = np.random.default_rng(3)
    attributes = [draw_attributes(rng, held_out=False) for _ in range(2)]
    clips = [render(a, draw_layout(a, rng))[0] for a in attributes]
    video = [torch.from_numpy(clip).permute(0, 3, 1, 2).float() / 255 for clip in clips]
    assert {len(clip) for clip in video} == {FRAMES}
    expected = build_processor().video_processor(videos=video, do_rescale=False, return_tensors="pt")
    assert batch.clips.attributes == attributes
    torch.testing.assert_close(batch.pixels["pixel_values_videos"], expected["pixel_values_videos"])
    assert batch.pixels["video_grid_thw"].tolist() == expected["video_grid_thw"].tolist()


def test_a_token_is_told_the_shape_where_the_sprite_is(world: training._World) -> None:
    rng = np.random.default_rng(0)
    attributes = [draw_attributes(rng) for _ in range(3)]
    masks = torch.zeros(3, SAMPLED, 64, 64, dtype=torch.bool)
    masks[:, :TUBELET, :CELL, :CELL] = True
    shapes = training._shown_shapes(masks, attributes)
    assert shapes.shape == (3, TOKENS)
    assert shapes[:, 0].tolist() == [1 + WORDS["shape"].index(a.shape) for a in attributes]
    assert shapes[:, 1:].count_nonzero() == 0


def test_training_goes_through_both_parts_and_resumes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "VAE_FROM", 2.0)
    schedule = training.Schedule(steps=4, log_every=1, save_every=1)
    folder = tmp_path / "checkpoints"
    vlm, summary = training.train_vlm(folder, schedule, tmp_path / "no VAE", batch=2)
    again, _ = training.train_vlm(folder, schedule, tmp_path / "no VAE", batch=2)
    assert (summary.steps, summary.seed) == (4, 0)
    assert (folder / "vision" / "curve.tsv").exists()
    assert (folder / "curve.tsv").exists()
    assert all(torch.equal(a, b) for a, b in zip(vlm.parameters(), again.parameters(), strict=True))
