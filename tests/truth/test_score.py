"""Methods of others, scored on a VLM that goes by colour: the true one, one that shows the word,
and ones that are refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import pandas as pd
import pytest
import torch

from transporter.coupling.reader import Reader
from transporter.support.errors import UserError
from transporter.truth.cases import Case
from transporter.truth.readings import read_video
from transporter.truth.score import Method, OpenCase, score

RED, QUICK = 0, 1
NATURAL = {"colour": 0.75, "speed": 0.5}


class _Generator:
    device = torch.device("cpu")

    def decode(self, z_xi: torch.Tensor) -> torch.Tensor:
        return z_xi.transpose(1, 2)


class _VLM:
    """Says *quickly* of what is bright in one channel."""

    def __init__(self, channel: int) -> None:
        self.channel = channel

    def encode(self, video: torch.Tensor) -> torch.Tensor:
        return video.mean((1, 3, 4))

    def log_probs(
        self, tokens: torch.Tensor, prompt: str, continuations: Sequence[str]
    ) -> torch.Tensor:
        odds = 8 * tokens[:, self.channel] - 4
        return torch.stack([-odds, odds], 1) / 2


class _Probes:
    vocabulary: ClassVar = {"colour": ("red", "blue"), "speed": ("slowly", "quickly")}

    def probabilities(self, video: torch.Tensor) -> dict[str, torch.Tensor]:
        red, quick = video.mean((1, 3, 4))[:, [RED, QUICK]].unbind(1)
        pairs = {"colour": (red, 1 - red), "speed": (1 - quick, quick)}
        return {name: torch.stack(pair, 1) for name, pair in pairs.items()}


@pytest.fixture(scope="module")
def opened(planted: Case) -> OpenCase:
    """Six dark clips, three captions of two; other changes of the captions leave them dark."""
    reader = Reader(_Generator(), _VLM(RED))
    z_xi = torch.zeros(6, 3, 2, 4, 4)
    judges = (planted, reader, _VLM(QUICK), _Probes())
    read = read_video(z_xi.transpose(1, 2), *judges)
    rows = [
        read.assign(method=name, caption=[f"clip {row // 2}" for row in range(6)], seed=[0, 1] * 3)
        for name in ("origin", "random", "asked")
    ]
    return OpenCase(planted, reader, z_xi, pd.concat(rows), _VLM(QUICK), _Probes(), NATURAL)


def _in(channel: int) -> Method:
    def brightened(clips: torch.Tensor, opened: OpenCase) -> torch.Tensor:
        assert opened.captions == ["clip 0"] * 2 + ["clip 1"] * 2 + ["clip 2"] * 2
        clips[:, :, channel] = 1
        return clips

    return brightened


def test_a_true_explanation_names_the_cue_and_one_of_the_word_nothing(opened: OpenCase) -> None:
    true, false = (score(_in(channel), opened) for channel in (RED, QUICK))
    assert true[["flips", "flips_honest", "named", "cue", "true"]].tolist() == [
        1,
        0,
        "colour",
        "colour",
        True,
    ]
    assert true["chance"] < 0.01 and true["margin"] > 1
    assert false[["flips", "flips_honest", "named", "true"]].tolist() == [0, 1, "none", False]


def test_a_method_may_follow_the_vlms_gradient(opened: OpenCase) -> None:
    def ascent(clips: torch.Tensor, opened: OpenCase) -> torch.Tensor:
        clips.requires_grad_()
        odds = opened.reader.log_odds(opened.vlm.encode(clips), opened.case.concept).sum()
        return clips + torch.autograd.grad(odds, clips)[0].sign()

    assert score(ascent, opened)["flips"] == 1


@pytest.mark.parametrize(
    ("method", "got"),
    [
        (lambda clips, opened: clips[:2], r"got \(2, 2, 3, 4, 4\)"),
        (lambda *given: None, "NoneType"),
    ],
)
def test_other_things_than_clips_are_refused(opened: OpenCase, method: Method, got: str) -> None:
    with pytest.raises(UserError, match=rf"score: expected clips \(6, 2, 3, 4, 4\).*{got}"):
        score(method, opened)


def test_without_probes_the_answers_are_left(opened: OpenCase) -> None:
    plain = OpenCase(opened.case, opened.reader, opened.z_xi, opened.readings)
    row = score(_in(RED), plain)
    assert row["flips"] == 1 and "named" not in row
