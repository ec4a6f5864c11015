"""Retrieval against ranks by SciPy."""

from __future__ import annotations

import doctest

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import rankdata

from transporter.metrics import retrieval
from transporter.metrics.retrieval import recall_at


def test_examples() -> None:
    assert doctest.testmod(retrieval).failed == 0


@given(
    seed=st.integers(0, 1000),
    count=st.integers(1, 20),
    k=st.integers(1, 5),
    levels=st.integers(2, 50),
)
def test_equals_ranks(seed: int, count: int, k: int, levels: int) -> None:
    similarity = np.random.default_rng(seed).integers(levels, size=(count, count)).astype(float)
    ranks = [rankdata(-row, method="max")[index] for index, row in enumerate(similarity)]
    assert recall_at(k, torch.from_numpy(similarity)) == pytest.approx(
        np.mean(np.array(ranks) <= k)
    )
