"""What the generator is trained on, and that its training resumes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from transporter.microworld.renderer import FRAMES, SIZE
from transporter.microworld.training import generator as training
from transporter.microworld.training.loop import Schedule
from transporter.microworld.training.vae import build_vae


def test_spinning_clips_are_drawn_more_often_and_nothing_held_out() -> None:
    clips = training.draw_clips(1200, np.random.default_rng(0))
    assert not any(a.held_out for a in clips.attributes)
    spinning = np.mean([a.motion == "spins" for a in clips.attributes])
    # a sixth of what is drawn, and of the quarter that is made to spin all but the combinations that are held out
    assert 0.28 < spinning < training.SPUN + (1 - training.SPUN) / 6
    turned = [np.ptp(layout.angle) > 0 for layout in clips.layouts]
    assert turned == [a.motion == "spins" for a in clips.attributes]


def test_training_encodes_once_and_makes_a_pipeline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "CHUNK", 4)
    monkeypatch.setattr(training, "compile_where_possible", lambda model: None)
    torch.manual_seed(0)
    build_vae().save_pretrained(tmp_path / "vae")
    schedule = Schedule(steps=2, log_every=1, save_every=1, ema=0.9)
    pipeline, _ = training.train_generator(tmp_path, schedule, tmp_path / "vae", chunks=2, batch=2)
    world = training.World(tmp_path / "world", 2)
    assert world.z.shape == (8, 16, (FRAMES + 3) // 4, SIZE // 8, SIZE // 8)
    assert pipeline.vae.config.latents_std == pytest.approx(world.z.float().std((0, 2, 3, 4)).tolist(), rel=1e-4)
    monkeypatch.setattr(training, "draw_clips", None)
    again, _ = training.train_generator(tmp_path, schedule, tmp_path / "vae", chunks=2, batch=2)
    kept, resumed = pipeline.transformer.state_dict(), again.transformer.state_dict()
    assert all(torch.equal(kept[name], resumed[name]) for name in kept)
