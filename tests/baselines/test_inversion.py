from __future__ import annotations

import copy
import math
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch

from transporter.baselines.inversion import augmented, inversion_losses, invert
from transporter.baselines.methods import Method, activation_maximisation, gradvit, leaps, maco
from transporter.baselines.settings import InversionSettings
from transporter.baselines.targets import ClassifierTarget
from transporter.baselines.verifier import Verifier
from transporter.support.checkpoint import load_checkpoint

SHAPE = (4, 3, 8, 8)
Make = Callable[[InversionSettings], Method]


@pytest.fixture(params=["AM", "GradViT", "MACO", "LEAPS"])
def make(
    request: pytest.FixtureRequest, class_target: ClassifierTarget, clips: list[torch.Tensor]
) -> Make:
    verifier = Verifier.of_batch_norms(class_target.network)
    return {
        "AM": lambda settings: activation_maximisation(SHAPE, settings),
        "GradViT": lambda settings: gradvit(class_target, SHAPE, verifier, settings),
        "MACO": lambda settings: maco(clips, SHAPE[-1]),
        "LEAPS": lambda settings: leaps(class_target, clips[0], verifier, settings),
    }[request.param]


def test_a_resumed_inversion_ends_with_the_same_bits(
    make: Make, class_target: ClassifierTarget, settings: InversionSettings, tmp_path: Path
) -> None:
    straight = invert(class_target, make(settings), settings, 3, tmp_path / "straight")
    invert(class_target, make(settings), settings, 3, tmp_path / "halves", until=7)
    torch.manual_seed(99)
    halves = invert(class_target, make(settings), settings, 3, tmp_path / "halves")
    assert torch.equal(straight, halves)
    curves = [(tmp_path / name / "curve.tsv").read_bytes() for name in ("straight", "halves")]
    assert curves[0] == curves[1]
    assert straight.shape == SHAPE
    assert straight.min() >= 0
    assert straight.max() <= 1


def test_every_method_raises_the_targets_probability(
    make: Make, class_target: ClassifierTarget, settings: InversionSettings, tmp_path: Path
) -> None:
    settings = replace(settings, steps=30, flip=0.0, jitter=1)
    method = make(settings)
    start = method.start(torch.Generator().manual_seed(0))().detach().clamp(0, 1)
    video = invert(class_target, method, settings, 0, tmp_path)
    assert class_target.verdict(video)["log_prob"] > class_target.verdict(start)["log_prob"] + 0.1


def test_a_finished_inversion_is_read_and_not_run(
    make: Make,
    class_target: ClassifierTarget,
    settings: InversionSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    method = make(settings)
    made = invert(class_target, method, settings, 0, tmp_path)
    monkeypatch.setattr(class_target, "respond", lambda video: pytest.fail("a step was made"))
    assert torch.equal(invert(class_target, method, settings, 0, tmp_path), made)


def test_a_checkpoint_of_another_run_is_not_resumed(
    class_target: ClassifierTarget,
    settings: InversionSettings,
    tmp_path: Path,
    clips: list[torch.Tensor],
    capsys: pytest.CaptureFixture[str],
) -> None:
    verifier = Verifier.of_batch_norms(class_target.network)
    for stimulus, seed in ((clips[0], 0), (clips[1], 0), (clips[1], 1)):
        method = leaps(class_target, stimulus, verifier, settings)
        again = invert(class_target, method, settings, seed, tmp_path / "shared")
        assert torch.equal(
            again,
            invert(class_target, method, settings, seed, tmp_path / f"{seed} {id(stimulus)}"),
        )
    assert capsys.readouterr().out.count("starting afresh") == 2


def test_loss_is_the_weighted_sum_of_its_terms(
    class_target: ClassifierTarget, settings: InversionSettings, clips: list[torch.Tensor]
) -> None:
    method = leaps(class_target, clips[0], Verifier.of_batch_norms(class_target.network), settings)
    parameters = method.start(torch.Generator().manual_seed(0))
    generator = torch.Generator().manual_seed(0)
    losses = inversion_losses(parameters, class_target, method, settings, 0, generator)
    weights = {"l2": 0.005, "priming": 1.0, "coherence": 0.05, "statistics": 0.05, "log_prob": -1.0}
    torch.testing.assert_close(
        losses["loss"], sum(weight * losses[name] for name, weight in weights.items())
    )


def test_a_network_that_verifies_itself_is_run_once(
    class_target: ClassifierTarget, settings: InversionSettings, clips: list[torch.Tensor]
) -> None:
    passes, values = [], []
    for network in (class_target.network, copy.deepcopy(class_target.network)):
        method = leaps(class_target, clips[0], Verifier.of_batch_norms(network), settings)
        with ExitStack() as hooks:
            for run in {class_target.network, network}:
                hooks.enter_context(run.register_forward_hook(lambda *_: passes.append(1)))
            start = method.start(torch.Generator().manual_seed(0))
            generator = torch.Generator().manual_seed(0)
            losses = inversion_losses(start, class_target, method, settings, 0, generator)
            values.append(losses["statistics"])
    assert len(passes) == 1 + 2
    torch.testing.assert_close(*values)


def test_priors_of_gradvit_join_after_their_share_of_the_steps(
    class_target: ClassifierTarget, settings: InversionSettings
) -> None:
    method = gradvit(class_target, SHAPE, Verifier.of_batch_norms(class_target.network), settings)
    parameters = method.start(torch.Generator().manual_seed(0))
    before, after = (
        set(inversion_losses(parameters, class_target, method, settings, step, torch.Generator()))
        for step in (5, 6)
    )
    assert after - before == {"statistics", "patch_prior"}


def test_curve_has_the_steps_asked_for(
    class_target: ClassifierTarget, settings: InversionSettings, tmp_path: Path
) -> None:
    invert(class_target, activation_maximisation(SHAPE, settings), settings, 0, tmp_path)
    curve = pd.read_csv(tmp_path / "curve.tsv", sep="\t")
    assert list(curve["step"]) == [4, 8, 12]
    assert list(curve.columns) == ["step", "loss", "log_prob", "l2"]


def test_augmentation_moves_all_frames_alike_and_loses_no_pixel(
    settings: InversionSettings,
) -> None:
    frame = torch.rand(1, 1, 3, 8, 8)
    video = frame.expand(1, 4, 3, 8, 8)
    seen = {}
    for seed in range(60):
        made = augmented(video, settings, torch.Generator().manual_seed(seed))
        assert torch.equal(made, made[:, :1].expand_as(made))
        assert torch.equal(made.flatten().sort().values, video.flatten().sort().values)
        seen[tuple(made[0, 0, 0].flatten().tolist())] = seed
    assert len(seen) > 30  # of (2 jitter + 1)^2 shifts, mirrored or not
    still = augmented(video, replace(settings, jitter=0, flip=0.0), torch.Generator())
    assert torch.equal(still, video)
    mirrored = augmented(video, replace(settings, jitter=0, flip=1.0), torch.Generator())
    assert torch.equal(mirrored, video.flip(-1))


def test_magnitude_survives_the_whole_loop(
    class_target: ClassifierTarget,
    settings: InversionSettings,
    clips: list[torch.Tensor],
    tmp_path: Path,
) -> None:
    method = maco(clips, 8)
    invert(class_target, method, settings, 0, tmp_path)
    parameters = method.start(torch.Generator())
    before = parameters.magnitude.clone()
    parameters.load_state_dict(
        load_checkpoint(tmp_path / "checkpoint.safetensors")["model"], strict=False
    )
    made = torch.fft.rfftn(parameters().detach(), dim=(0, 2, 3)).abs()
    torch.testing.assert_close(made, before, atol=1e-4, rtol=1e-4)
    assert math.isclose(
        float(made[0, :, 0, 0].mean()), float(torch.stack(clips).mean()) * 4 * 64, rel_tol=1e-4
    )
