"""What the generator is trained on, and that its training resumes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from microworld.renderer import FRAMES, SIZE
from microworld.training import generator as training
from microworld.training.vae import build_vae
from transporter.training.schedule import Schedule


def test_what_is_hard_is_drawn_more_often_and_nothing_is_held_out() -> None:
    clips = training.draw_clips(1200, np.random.default_rng(0))
    assert not any(a.held_out for a in clips.attributes)
    for motion in ("spins", "bounces"):
        share = np.mean([a.motion == motion for a in clips.attributes])
        # a sixth of what is drawn, and of what is made hard all but the combinations that are held
        # out
        assert (
            (1 - training.HARD) / 6 + 0.8 * training.HARD / 2
            < share
            < (1 - training.HARD) / 6 + 1.1 * training.HARD / 2
        ), motion
    squares = [a.shape == "square" for a in clips.attributes[: round(training.HARD * 1200)]]
    assert 0.55 < np.mean(squares) < 0.7  # half, and a third of the others
    turned = [np.ptp(layout.angle) > 0 for layout in clips.layouts]
    assert turned == [a.motion == "spins" for a in clips.attributes]


def test_noise_levels_are_uniform_or_high() -> None:
    sigma = training.draw_sigma(40000, torch.Generator().manual_seed(0))
    assert 0 < float(sigma.min()) < 0.001
    assert float(sigma.max()) < 1
    # the logit-normal half: a logit of a standard normal about 1 lies below 0 in .159 of the draws
    assert float((sigma < 0.5).float().mean()) == pytest.approx((0.5 + 0.1587) / 2, abs=0.01)
    # and above 3 in .0228
    assert float((sigma.logit() > 3).float().mean()) == pytest.approx(
        (1 - 0.9526 + 0.0228) / 2, abs=0.004
    )


def test_training_encodes_once_and_makes_a_pipeline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "CHUNK", 4)
    monkeypatch.setattr(training, "compile_where_possible", lambda model: None)
    torch.manual_seed(0)
    build_vae().save_pretrained(tmp_path / "vae")
    schedule = Schedule(steps=2, log_every=1, save_every=1, ema=0.9)
    pipeline, _ = training.train_generator(tmp_path, schedule, tmp_path / "vae", chunks=2, batch=2)
    [encoded] = tmp_path.glob("world-*")
    world = training.World(encoded, 2)
    assert world.z.shape == (8, 16, (FRAMES + 3) // 4, SIZE // 8, SIZE // 8)
    assert pipeline.vae.config.latents_std == pytest.approx(
        world.z.float().std((0, 2, 3, 4)).tolist(), rel=1e-4
    )
    monkeypatch.setattr(training, "draw_clips", None)
    again, _ = training.train_generator(tmp_path, schedule, tmp_path / "vae", chunks=2, batch=2)
    kept, resumed = pipeline.transformer.state_dict(), again.transformer.state_dict()
    assert all(torch.equal(kept[name], resumed[name]) for name in kept)
    torch.manual_seed(1)
    build_vae().save_pretrained(tmp_path / "other")
    with pytest.raises(TypeError):  # clips of another VAE are not there yet
        training.train_generator(tmp_path, schedule, tmp_path / "other", chunks=2, batch=2)
