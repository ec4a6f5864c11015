from __future__ import annotations

import pytest
import torch
from torch import nn

from transporter.baselines.verifier import Verifier
from transporter.networks.hooks import named
from transporter.support.errors import UserError


def test_distance_to_batch_statistics_by_hand(classifier: nn.Module) -> None:
    video = torch.rand(1, 4, 3, 8, 8)
    first = classifier.first(video.transpose(1, 2) * 2 - 1)
    second = classifier.second(classifier.norm(first).relu())
    parts = []
    for hidden, norm in ((first, classifier.norm), (second, classifier.last)):
        scale = norm.running_var.mean()
        mean = (hidden.mean((0, 2, 3, 4)) - norm.running_mean).square().mean() / scale
        variance = (
            hidden.var((0, 2, 3, 4), correction=0) - norm.running_var
        ).square().mean() / scale**2
        parts.append(mean.sqrt() + variance.sqrt())
    verifier = Verifier.of_batch_norms(classifier)
    torch.testing.assert_close(verifier.distance(verifier.read(video)), parts[0] + parts[1])
    torch.testing.assert_close(
        verifier.distance(verifier.read(video), 10.0), 10 * parts[0] + 11 * parts[1]
    )


def test_measured_statistics_are_those_of_all_clips_together(
    classifier: nn.Module, clips: list[torch.Tensor]
) -> None:
    verifier = Verifier.measured(classifier, named(classifier, ["first", "second"]), clips)
    together = classifier.first(torch.stack(clips).transpose(1, 2) * 2 - 1)
    running, variance = verifier.running["first"], together.var((0, 2, 3, 4), correction=0)
    torch.testing.assert_close(running.mean, together.mean((0, 2, 3, 4)), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(running.variance, variance, atol=1e-5, rtol=1e-4)


def test_measured_distances_do_not_depend_on_a_layers_scale(
    classifier: nn.Module, clips: list[torch.Tensor]
) -> None:
    video, layers = torch.rand(1, 4, 3, 8, 8), named(classifier, ["first"])
    distances = []
    for factor in (1, 50):
        classifier.first.weight.data *= factor
        classifier.first.bias.data *= factor
        verifier = Verifier.measured(classifier, layers, clips)
        distances.append(verifier.distance(verifier.read(video)))
    torch.testing.assert_close(*distances, atol=1e-4, rtol=1e-3)


def test_a_clip_is_at_no_distance_from_its_own_statistics(
    classifier: nn.Module, clips: list[torch.Tensor]
) -> None:
    verifier = Verifier.measured(classifier, named(classifier, ["first", "second"]), clips[:1])
    assert float(verifier.distance(verifier.read(clips[0][None]))) == pytest.approx(0, abs=1e-4)
    assert float(verifier.distance(verifier.read(clips[1][None]))) > 1e-3


def test_networks_that_cannot_verify_are_refused(classifier: nn.Module) -> None:
    with pytest.raises(UserError, match="Linear has none; measure its statistics"):
        Verifier.of_batch_norms(nn.Linear(2, 2))
    with pytest.raises(UserError, match="at least one clip"):
        Verifier.measured(classifier, named(classifier, ["first"]), [])
