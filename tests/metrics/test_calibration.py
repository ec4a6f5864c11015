"""Calibration against the definition, bin by bin, and on answers that are calibrated by construction."""

from __future__ import annotations

import doctest

import torch
from hypothesis import given
from hypothesis import strategies as st

from transporter.metrics import calibration
from transporter.metrics.calibration import expected_calibration_error


def test_examples() -> None:
    assert doctest.testmod(calibration).failed == 0


@given(seed=st.integers(0, 1000), count=st.integers(1, 60), answers=st.integers(2, 5), bins=st.integers(1, 20))
def test_equals_the_definition(seed: int, count: int, answers: int, bins: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    probabilities = torch.rand(count, answers, generator=generator, dtype=torch.double).softmax(-1)
    labels = torch.randint(answers, (count,), generator=generator)
    confidence, answer = probabilities.max(-1)
    right = (answer == labels).double()
    expected = 0.0
    for place in range(bins):
        chosen = (confidence > place / bins) & (confidence <= (place + 1) / bins)
        if chosen.any():
            expected += float(chosen.double().mean() * (right[chosen].mean() - confidence[chosen].mean()).abs())
    assert abs(expected_calibration_error(probabilities, labels, bins) - expected) < 1e-9


def test_answers_drawn_from_the_probabilities_are_calibrated() -> None:
    generator = torch.Generator().manual_seed(0)
    probabilities = torch.randn(20_000, 4, generator=generator).softmax(-1)
    labels = torch.multinomial(probabilities, 1, generator=generator)[:, 0]
    assert expected_calibration_error(probabilities, labels) < 0.02
    assert expected_calibration_error(probabilities.pow(4) / probabilities.pow(4).sum(-1, keepdim=True), labels) > 0.1
