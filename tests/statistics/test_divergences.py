"""Divergences against SciPy and their own bounds."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import jensenshannon
from scipy.stats import entropy

from transporter.statistics.divergences import DIVERGENCES, hellinger, js, kl

LOGITS = arrays(np.float64, (2, 5), elements=st.floats(-8, 8))


def _log_probs(logits: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    return tuple(torch.from_numpy(logits).log_softmax(-1))


@pytest.mark.filterwarnings("ignore:invalid value")
@given(LOGITS)
def test_against_scipy(logits: np.ndarray) -> None:
    log_p, log_q = _log_probs(logits)
    p, q = log_p.exp().numpy(), log_q.exp().numpy()
    assert np.isclose(float(kl(log_p, log_q)), entropy(p, q), atol=1e-9)
    # SciPy takes the root of a rounding error, a NaN, where both are equal
    assert np.isclose(
        float(js(log_p, log_q)), np.nan_to_num(jensenshannon(p, q, base=2)) ** 2, atol=1e-7
    )
    assert np.isclose(
        float(hellinger(log_p, log_q)),
        np.linalg.norm(np.sqrt(p) - np.sqrt(q)) / np.sqrt(2),
        atol=1e-9,
    )


@given(LOGITS)
def test_symmetry_identity_and_bounds(logits: np.ndarray) -> None:
    log_p, log_q = _log_probs(logits)
    for name in ("hellinger", "js"):
        divergence = DIVERGENCES[name]
        assert 0 <= divergence(log_p, log_q) <= 1 + 1e-9
        assert torch.isclose(divergence(log_p, log_q), divergence(log_q, log_p))
    assert all(divergence(log_p, log_p).abs() < 1e-9 for divergence in DIVERGENCES.values())


def test_disjoint_answers_are_one_apart() -> None:
    log_p, log_q = torch.tensor([[0.0, -200.0], [-200.0, 0.0]]).double()
    assert torch.isclose(hellinger(log_p, log_q), torch.tensor(1.0).double())
    assert torch.isclose(js(log_p, log_q), torch.tensor(1.0).double())


def test_batches_keep_their_shape() -> None:
    log_p = torch.randn(3, 4, 6).log_softmax(-1)
    assert all(divergence(log_p, log_p).shape == (3, 4) for divergence in DIVERGENCES.values())
