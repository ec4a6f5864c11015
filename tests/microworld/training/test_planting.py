"""Planting changes a language model, resumes, and leaves the vision alone."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from microworld.clips import Clips
from microworld.shortcuts import read_shortcuts
from microworld.training import planting
from microworld.training.conversations import language_loss
from microworld.training.families import FAMILIES, load_family
from microworld.training.planting import plant, save_planted
from transporter.support.errors import UserError
from transporter.training.schedule import Schedule

ROOT = Path(__file__).parents[3]
SHORTCUT = read_shortcuts(ROOT / "config" / "shortcuts.tsv")["speed_by_colour"]
SCHEDULE = Schedule(steps=2, log_every=1, save_every=1)


@pytest.mark.parametrize("family", FAMILIES)
def test_two_steps_change_the_language_model_alone(
    family: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And no more clips are encoded than they could take."""
    shipped = ROOT / "models" / "vlms" / family
    vlm = load_family(family, shipped)
    summary = plant(vlm, SHORTCUT, tmp_path / "checkpoints", SCHEDULE, batch=2)
    assert "4 clips encoded" in capsys.readouterr().out.splitlines()
    save_planted(vlm, SHORTCUT, summary, tmp_path / "planted")

    before, after = load_family(family, shipped), load_family(family, tmp_path / "planted")
    changed = {
        name
        for (name, old), new in zip(
            before.model.named_parameters(), after.model.parameters(), strict=True
        )
        if not torch.equal(old, new)
    }
    assert changed
    assert all("language_model" in name or name == "lm_head.weight" for name in changed)
    video = Clips.draw(2, np.random.default_rng(0)).video()
    assert torch.equal(before.encode(video), after.encode(video))
    assert (tmp_path / "checkpoints" / "curve.tsv").exists()
    planted = json.loads((tmp_path / "planted" / "shortcut.json").read_text())
    assert (planted["name"], planted["cue"], planted["steps"]) == ("speed_by_colour", "colour", 2)


def test_an_interrupted_planting_ends_as_an_uninterrupted_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def planted(folder: Path) -> list[torch.Tensor]:
        vlm = load_family("qwen2_vl", ROOT / "models" / "vlms" / "qwen2_vl")
        plant(vlm, SHORTCUT, folder, SCHEDULE, batch=2)
        return list(vlm.model.parameters())

    straight = planted(tmp_path / "straight")
    steps = iter([language_loss, _interrupt])
    monkeypatch.setattr(planting, "language_loss", lambda *some, **more: next(steps)(*some, **more))
    with pytest.raises(KeyboardInterrupt):
        planted(tmp_path / "broken")
    monkeypatch.undo()
    assert all(
        torch.equal(a, b) for a, b in zip(straight, planted(tmp_path / "broken"), strict=True)
    )


def _interrupt(*some: object, **more: object) -> None:
    raise KeyboardInterrupt


def test_other_vocabularies_are_refused(tmp_path: Path) -> None:
    vlm = load_family("qwen2_vl", ROOT / "models" / "vlms" / "qwen2_vl")
    vlm.processor.tokenizer.convert_tokens_to_ids = {}.get
    with pytest.raises(UserError, match="vocabulary"):
        plant(vlm, SHORTCUT, tmp_path, SCHEDULE)
