"""Speed is judged in a user's clips: the same motion at half the rate is slower to the VLM."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import microworld.renderer
from microworld.attributes import WORDS, draw_attributes
from microworld.questions import log_answers
from microworld.renderer import FPS, FRAMES, SIZE, draw_layout, render
from transporter.clips.reading import read_video
from transporter.clips.writing import write_video
from transporter.vlms.qwen_vl import QwenVL

MODEL = Path(__file__).parents[2] / "models" / "vlms" / "qwen2_vl"
CLIPS = 24


@pytest.fixture
def dense(monkeypatch: pytest.MonkeyPatch) -> list[torch.Tensor]:
    """Quick motions in twice as many pictures, `(33, 3, 64, 64)` each."""
    monkeypatch.setattr(microworld.renderer, "FRAMES", 2 * FRAMES - 1)
    rng, videos = np.random.default_rng(0), []
    while len(videos) < CLIPS:
        attributes = draw_attributes(rng)
        if attributes.speed > 0.8:
            pictures, _ = render(attributes, draw_layout(attributes, rng))
            videos.append(torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255)
    return videos


def test_half_the_rate_moves_the_answer_towards_slowly(
    dense: list[torch.Tensor], tmp_path: Path
) -> None:
    vlm = QwenVL(str(MODEL), (FRAMES, 3, SIZE, SIZE))
    slowly = WORDS["speed"].index("slowly")
    odds = {}
    for rate in (2 * FPS, FPS):
        videos = []
        for number, video in enumerate(dense):
            path = tmp_path / f"{number}-{rate}.mp4"
            write_video(path, video, rate)
            videos.append(read_video(path, FRAMES, SIZE, SIZE, FPS))
        with torch.no_grad():
            answers = log_answers(vlm, torch.stack(videos))["speed"]
        odds[rate] = 2 * answers[:, slowly] - answers.sum(1)
    moved = odds[FPS] - odds[2 * FPS]
    assert (moved > 0).float().mean() > 0.9, moved
    assert (odds[2 * FPS] < 0).float().mean() > 0.9 and moved.mean() > 2
