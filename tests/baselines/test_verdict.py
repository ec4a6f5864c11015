from __future__ import annotations

from dataclasses import replace

import torch

from transporter.baselines.subjects import VLMSubject
from transporter.baselines.verdict import verdict
from transporter.contrast import Concept

VIDEO = torch.rand(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))


class Eye:
    """A judge of one attribute, which it reads off the mean brightness."""

    vocabulary = {"colour": ("blue", "red")}  # noqa: RUF012 - as the protocol has it

    def probabilities(self, video: torch.Tensor) -> dict[str, torch.Tensor]:
        brightness = video.mean((1, 2, 3, 4))
        return {"colour": torch.stack([brightness, 1 - brightness], 1)}


def test_both_networks_are_asked(vlm_subject: VLMSubject, concept: Concept) -> None:
    brightness = float(VIDEO.mean())
    made = verdict(VIDEO, vlm_subject, concept, Eye())
    torch.testing.assert_close(
        made, vlm_subject.verdict(VIDEO) | {"p_source": 1 - brightness, "p_target": brightness}
    )


def test_a_judge_that_does_not_know_the_words_says_nothing(
    vlm_subject: VLMSubject, concept: Concept
) -> None:
    strange = replace(concept, source="wood", target="metal")
    assert (
        verdict(VIDEO, vlm_subject, strange, Eye())
        == vlm_subject.verdict(VIDEO)
        == verdict(VIDEO, vlm_subject)
    )
