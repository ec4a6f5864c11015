"""Mean encodings compared, against SciPy and NumPy."""

from __future__ import annotations

import doctest

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cosine
from scipy.special import softmax
from scipy.stats import entropy

from transporter.metrics import embeddings
from transporter.metrics.embeddings import EmbeddingSimilarity, compare
from transporter.support.errors import UserError


def tokens(count: int, seed: int = 0, width: int = 6) -> torch.Tensor:
    return torch.randn(count, 4, width, generator=torch.Generator().manual_seed(seed)) + seed


def similarity(real: torch.Tensor, generated: torch.Tensor, batch: int = 100) -> dict[str, float]:
    metric = EmbeddingSimilarity("tiny")
    for z_omega, are_real in ((real, True), (generated, False)):
        for some in z_omega.split(batch):
            metric.update(some, real=are_real)
    return metric.compute()


def test_examples() -> None:
    assert doctest.testmod(embeddings).failed == 0


@pytest.mark.parametrize("seed", range(3))
def test_equals_scipy(seed: int) -> None:
    real, generated = tokens(5, seed).double(), tokens(3, seed + 1).double()
    x, y = (z.mean((0, 1)).numpy() for z in (real, generated))
    expected = {
        "cos": 1 - cosine(x, y),
        "l1": np.abs(x - y).sum(),
        "l2": np.linalg.norm(x - y),
        "kl": entropy(softmax(x), softmax(y)),
    }
    assert similarity(real, generated) == pytest.approx(expected)


def test_equal_sets_order_and_batches() -> None:
    real, generated = tokens(5), tokens(3, 1)
    first = similarity(real, generated)
    assert similarity(real, real) == pytest.approx({"cos": 1, "l1": 0, "l2": 0, "kl": 0}, abs=1e-12)
    assert similarity(real, generated, batch=2) == pytest.approx(first)
    assert similarity(real.flip(0, 1), generated.roll(1, 0)) == pytest.approx(first)


def test_large_encodings_do_not_overflow() -> None:
    found = compare(torch.tensor([1000.0, 0.0]), torch.tensor([0.0, 1000.0]))
    assert found["kl"] == pytest.approx(1000)


def test_protocol() -> None:
    metric = EmbeddingSimilarity("qwen2_vl")
    metric.update(tokens(5), real=True)
    metric.update(tokens(3), real=False)
    assert metric.counts() == (5, 3)
    assert metric.compute().keys() == metric.numbers.keys()
    assert metric.protocol()["vlm"] == "qwen2_vl"


def test_other_tokens_are_refused() -> None:
    metric = EmbeddingSimilarity("tiny")
    metric.update(tokens(2), real=True)
    with pytest.raises(UserError, match=r"expected tokens \(B, N, 6\), got \(2, 4, 7\)"):
        metric.update(tokens(2, width=7), real=False)
    with pytest.raises(
        UserError, match="expected real and generated clips, got 2 real \\+ 0 generated"
    ):
        metric.compute()
