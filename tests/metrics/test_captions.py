"""Sentence cosine with its model's published examples."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from transporter.metrics import captions
from transporter.metrics.captions import SentenceCosine
from transporter.support.errors import Unavailable, UserError


def test_no_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(captions.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(Unavailable, match="the package pycocoevalcap is not installed"):
        captions.has_spice()


@pytest.fixture(scope="session")
def cosine(weights: Callable[[str], Path]) -> SentenceCosine:
    return SentenceCosine(weights("minilm"))


def test_sentences_near_and_far(cosine: SentenceCosine) -> None:
    """The similarities that the documentation of sentence-transformers prints for this model."""
    with torch.no_grad():
        embedded = cosine.embed(
            ["The weather is lovely today.", "It's so sunny outside!", "He drove to the stadium."]
        )
    expected = torch.tensor([[1, 0.6660, 0.1046], [0.6660, 1, 0.1411], [0.1046, 0.1411, 1]])
    torch.testing.assert_close(embedded @ embedded.T, expected, atol=1e-4, rtol=0)


def test_cosine_invariants(cosine: SentenceCosine) -> None:
    candidates, targets = (
        ["a man surfs", "a dog", "it rains in the city today"],
        ["a surfer", "two cats", "heavy rain"],
    )
    values = cosine.cosines(candidates, targets)
    alone = [
        cosine.cosines([one], [other])[0] for one, other in zip(candidates, targets, strict=True)
    ]
    np.testing.assert_allclose(values, alone, atol=1e-5)
    np.testing.assert_allclose(cosine.cosines(targets, candidates), values, atol=1e-6)
    assert ((values > 0.1) & (values < 0.95)).all()
    np.testing.assert_allclose(cosine.cosines(candidates, candidates), 1, atol=1e-6)


def test_targets_must_match(cosine: SentenceCosine) -> None:
    with pytest.raises(UserError, match="expected a target for each of 2 captions, got 1"):
        cosine.cosines(["a", "b"], ["a"])
