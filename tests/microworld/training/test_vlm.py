"""The training of the VLMs: for every family, and resumable."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from microworld.training import vlm as training
from microworld.training.families import FAMILIES, load_family, untrained
from transporter.pipeline.config import load_config

ROOT = Path(__file__).parents[3]
CONFIG, VAE = ROOT / "config" / "config.yaml", ROOT / "models" / "vae"


@pytest.fixture(scope="module", params=FAMILIES)
def family(request: pytest.FixtureRequest) -> str:
    return request.param


def test_the_settings_have_steps_for_every_family() -> None:
    assert list(load_config(CONFIG)["training"]["vlms"]) == list(FAMILIES)


def test_training_goes_on_from_the_trained_vision_and_resumes(
    family: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "VAE_FROM", 2.0)
    schedule = training.Schedule(steps=4, log_every=1, save_every=1)
    lesson, first = training.train_vision(family, tmp_path / "vision", schedule, batch=2)
    training.save_vision(lesson, first, vision := tmp_path / "lesson.safetensors")
    of = (family, vision, folder := tmp_path / "language", schedule, VAE)
    model, processor, summary = training.train_vlm(*of, batch=2)
    again, _, _ = training.train_vlm(*of, batch=2)
    assert (first.steps, summary.steps, summary.seed) == (2, 4, 0)
    assert summary.minutes >= first.minutes
    assert (folder / "curve.tsv").exists()
    assert all(
        torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True)
    )
    short = training.Schedule(steps=first.steps)
    unchanged, _, _ = training.train_vlm(
        family, vision, tmp_path / "not a step", short, VAE, batch=2
    )
    assert all(
        torch.equal(a, b)
        for a, b in zip(unchanged.parameters(), lesson.model.parameters(), strict=True)
    )
    model.save_pretrained(tmp_path / "model")
    processor.save_pretrained(tmp_path / "model")
    assert load_family(family, tmp_path / "model").tokens_shape == untrained(family, 0).tokens_shape
