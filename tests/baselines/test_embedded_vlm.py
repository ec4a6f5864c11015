"""The methods on the VLM that is shipped, in a few iterations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from microworld.clip_judge import ClipJudge
from microworld.clips import Clips
from microworld.training.families import load_family
from microworld.verifier import microworld_verifier
from transporter.baselines.inversion import invert
from transporter.baselines.methods import Method, activation_maximisation, gradvit, leaps, maco
from transporter.baselines.settings import InversionSettings
from transporter.baselines.targets import VLMTarget
from transporter.baselines.verifier import Verifier
from transporter.clips.contrast import read_concepts

ROOT = Path(__file__).parents[2]
SETTINGS = InversionSettings(
    steps=8, lr=0.1, warm_up=2, jitter=1, flip=0.0, patch=(3, 8, 8), log_every=4
)


@pytest.fixture(scope="module")
def clips() -> Clips:
    return Clips.draw(24, np.random.default_rng(0))


@pytest.fixture(scope="module")
def target() -> VLMTarget:
    concept = read_concepts(ROOT / "config/concepts.tsv", ["red_blue"])[0]
    return VLMTarget(
        load_family("qwen2_vl", ROOT / "models/vlms/qwen2_vl"), concept, difference=True
    )


@pytest.fixture(scope="module")
def verifier(clips: Clips) -> Verifier:
    return microworld_verifier(
        ClipJudge.from_pretrained(ROOT / "models/clip_judge"), clips[:2].video()
    )


def make(name: str, target: VLMTarget, verifier: Verifier, clips: Clips) -> Method:
    video = clips[:4].video()
    blue = next(
        index
        for index, attributes in enumerate(clips.attributes)
        if attributes.words()["colour"] == "blue"
    )
    makers: dict[str, Callable[[], Method]] = {
        "AM": lambda: activation_maximisation(tuple(video.shape[1:]), SETTINGS),
        "GradViT": lambda: gradvit(target, tuple(video.shape[1:]), verifier, SETTINGS),
        "MACO": lambda: maco(video, video.shape[-1]),
        "LEAPS": lambda: leaps(target, clips[blue : blue + 1].video()[0], verifier, SETTINGS),
    }
    return makers[name]()


@pytest.mark.parametrize(("name", "steps"), [("AM", 8), ("GradViT", 8), ("MACO", 8), ("LEAPS", 16)])
def test_a_few_steps_raise_the_targets_log_probability(
    name: str, steps: int, target: VLMTarget, verifier: Verifier, clips: Clips, tmp_path: Path
) -> None:
    method = make(name, target, verifier, clips)
    start = target.verdict(method.start(torch.Generator().manual_seed(0))().detach().clamp(0, 1))
    end = target.verdict(invert(target, method, replace(SETTINGS, steps=steps), 0, tmp_path))
    assert end["log_prob"] > start["log_prob"] + 0.05
    assert end["log_odds"] > start["log_odds"] + 0.3


def test_real_clips_are_closer_to_the_verifiers_statistics_than_noise(
    verifier: Verifier, clips: Clips
) -> None:
    """Clips that it was not measured on."""
    noise = torch.rand(1, 17, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        real = [float(verifier.distance(verifier.read(clip[None]))) for clip in clips[4:8].video()]
        far = float(verifier.distance(verifier.read(noise)))
    assert len(verifier.layers) == 4
    assert max(real) < far


def test_all_towers_are_recorded_in_order(target: VLMTarget, clips: Clips) -> None:
    response = target.respond(clips[:1].video())
    names = [f"model.visual.blocks.{i}" for i in range(3)] + [
        f"model.language_model.layers.{i}" for i in range(4)
    ]
    assert list(response.features) == names
    assert response.frames.shape == (2, 128)
    assert response.features[names[-1]].mean().shape == (128,)


def test_a_plain_target_has_no_difference(target: VLMTarget, clips: Clips) -> None:
    plain = VLMTarget(target.vlm, target.concept)
    video = clips[:1].video()
    one, both = plain.respond(video), target.respond(video)
    torch.testing.assert_close(one.score, one.log_prob)
    expected = one.log_prob + target.verdict(video[0])["log_odds"]
    torch.testing.assert_close(both.score, expected, atol=1e-4, rtol=1e-4)
