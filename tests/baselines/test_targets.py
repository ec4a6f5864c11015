from __future__ import annotations

import pytest
import torch
from torch import nn

from transporter.baselines.targets import ClassifierTarget, VLMTarget
from transporter.clips.contrast import Concept

VIDEO = torch.rand(1, 4, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def test_targets_of_a_vlm(vlm_target: VLMTarget, concept: Concept) -> None:
    logits = vlm_target.vlm.logits(vlm_target.vlm.encode(VIDEO), concept.question)[0]
    expected = logits.log_softmax(-1)[1]
    plain = vlm_target.respond(VIDEO)
    torch.testing.assert_close(plain.score, expected)
    both = VLMTarget(vlm_target.vlm, concept, difference=True).respond(VIDEO)
    torch.testing.assert_close(both.score, expected + logits[1] - logits[0])
    torch.testing.assert_close(both.log_prob, expected)


def test_frames_of_a_vlm_are_means_of_a_steps_tokens(vlm_target: VLMTarget) -> None:
    vlm_target.time_steps = 2
    tokens = vlm_target.vlm.encode(VIDEO)[0]
    torch.testing.assert_close(
        vlm_target.respond(VIDEO).frames, torch.stack([tokens[:2].mean(0), tokens[2:].mean(0)])
    )


def test_verdict_of_a_vlm(vlm_target: VLMTarget) -> None:
    logits = vlm_target.vlm.logits(vlm_target.vlm.encode(VIDEO), "")[0]
    verdict = vlm_target.verdict(VIDEO[0])
    assert verdict["log_odds"] == pytest.approx(float(logits[1] - logits[0]))
    assert verdict["rank"] == logits.argsort(descending=True).tolist().index(1) + 1


def test_target_of_a_classifier(class_target: ClassifierTarget) -> None:
    logits = class_target.network(VIDEO)
    response = class_target.respond(VIDEO)
    torch.testing.assert_close(
        -response.score, nn.functional.cross_entropy(logits, torch.tensor([2]))
    )
    assert list(response.features) == ["norm", "last"]
    verdict = class_target.verdict(VIDEO[0])
    assert verdict["log_prob"] == pytest.approx(float(response.score))
    assert verdict["top"] == int(logits.argmax())
    assert verdict["rank"] == logits[0].argsort(descending=True).tolist().index(2) + 1


def test_frames_of_a_classifier_are_means_over_space(class_target: ClassifierTarget) -> None:
    network = class_target.network
    hidden = network.second(network.norm(network.first(VIDEO.transpose(1, 2) * 2 - 1)).relu())
    torch.testing.assert_close(class_target.respond(VIDEO).frames, hidden[0].mean((2, 3)).T)


def test_identities_tell_targets_apart(
    vlm_target: VLMTarget, concept: Concept, class_target: ClassifierTarget
) -> None:
    others = [VLMTarget(vlm_target.vlm, concept, difference=True), class_target]
    assert len({target.identity for target in (vlm_target, *others)}) == 3
