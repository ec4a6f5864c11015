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
    # a sixth of what is drawn, and of the half that is made to spin all but the combinations that are held out
    assert 0.45 < spinning < training.SPUN + (1 - training.SPUN) / 6
    turned = [np.ptp(layout.angle) > 0 for layout in clips.layouts]
    assert turned == [a.motion == "spins" for a in clips.attributes]


def test_clips_that_spin_are_learnt_at_middle_noise_levels_and_the_others_at_all() -> None:
    sigma = training.draw_sigma(torch.arange(20000) % 2 == 0, torch.Generator().manual_seed(0))
    spinning, others = sigma[::2], sigma[1::2]
    assert float(spinning.logit().mean()) == pytest.approx(training.SPIN_LOGIT, abs=0.03)
    assert float(spinning.logit().std()) == pytest.approx(1, abs=0.03)
    assert float(others.mean()) == pytest.approx(0.5, abs=0.01)
    # a uniform level is below .02 in 2 of 100 clips, a logit-normal one practically never
    assert float((others < 0.02).float().mean()) == pytest.approx(0.01, abs=0.004)


def test_training_encodes_once_and_makes_a_pipeline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "CHUNK", 4)
    monkeypatch.setattr(training, "compile_where_possible", lambda model: None)
    torch.manual_seed(0)
    build_vae().save_pretrained(tmp_path / "vae")
    schedule = Schedule(steps=2, log_every=1, save_every=1, ema=0.9)
    pipeline, _ = training.train_generator(tmp_path, schedule, tmp_path / "vae", chunks=2, batch=2)
    world = training.World(tmp_path / "world", 2)
    assert world.spins.tolist()[:2] == [True, True]
    assert world.z.shape == (8, 16, (FRAMES + 3) // 4, SIZE // 8, SIZE // 8)
    assert pipeline.vae.config.latents_std == pytest.approx(world.z.float().std((0, 2, 3, 4)).tolist(), rel=1e-4)
    monkeypatch.setattr(training, "draw_clips", None)
    again, _ = training.train_generator(tmp_path, schedule, tmp_path / "vae", chunks=2, batch=2)
    kept, resumed = pipeline.transformer.state_dict(), again.transformer.state_dict()
    assert all(torch.equal(kept[name], resumed[name]) for name in kept)
