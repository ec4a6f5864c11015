"""Conditions and their changes, against plain tensors."""

from __future__ import annotations

import pytest
import torch

from transporter.generators.condition import Condition


@pytest.fixture
def pi() -> Condition:
    mask = torch.tensor([[1, 1, 0], [1, 1, 1]])
    return Condition(torch.randn(2, 3, 4), mask, torch.randn(2, 5))


def test_a_change_leads_from_one_condition_to_the_other(pi: Condition) -> None:
    reached = pi + (pi[[1, 0]] - pi)
    torch.testing.assert_close(reached.embeddings, pi.embeddings[[1, 0]])
    torch.testing.assert_close(reached.pooled, pi.pooled[[1, 0]])
    # what either caption has tokens at is attended to
    assert torch.equal(reached.mask, torch.ones(2, 3, dtype=torch.long))


@pytest.mark.parametrize("phi", [0.5, torch.tensor(0.5), torch.tensor([0.5, 2.0])])
def test_strengths_scale_whole_rows(pi: Condition, phi: float | torch.Tensor) -> None:
    change = phi * pi
    first, second = (phi, phi) if not isinstance(phi, torch.Tensor) or phi.ndim == 0 else phi
    for part in ("embeddings", "pooled"):
        before, after = getattr(pi, part), getattr(change, part)
        assert torch.equal(after, torch.stack([first * before[0], second * before[1]]))
    assert torch.equal(change.mask, pi.mask)
    assert torch.equal((pi * phi).embeddings, change.embeddings)


def test_a_vector_moves_the_embeddings_alone(pi: Condition) -> None:
    for vector in (torch.randn(3, 4), torch.randn(1, 4)):
        for changed in (pi + pi.along(vector), pi + vector):
            assert torch.equal(changed.embeddings, pi.embeddings + vector)
            assert changed.pooled is pi.pooled
            assert torch.equal(changed.mask, pi.mask)


def test_rows_are_kept_together(pi: Condition) -> None:
    assert len(pi[1:]) == 1
    assert len(pi[1:].expand(4)) == 4
    twice = pi.repeat_interleave(2)
    assert torch.equal(twice.mask, pi.mask[[0, 0, 1, 1]])
    joined = Condition.cat([pi, pi[:1]])
    assert torch.equal(joined.pooled, pi.pooled[[0, 1, 0]])
    beside = pi.beside(pi[[1, 0]])
    halves = zip(*(part.chunk(2, dim=1) for part in (beside.embeddings, beside.mask)), strict=True)
    for (embeddings, mask), rows in zip(halves, ([0, 1], [1, 0]), strict=True):
        assert torch.equal(embeddings, pi.embeddings[rows])
        assert torch.equal(mask, pi.mask[rows])


def test_precision_is_that_of_numbers_and_not_of_the_mask(pi: Condition) -> None:
    half = pi.to(torch.bfloat16)
    assert half.embeddings.dtype == half.pooled.dtype == torch.bfloat16
    assert half.mask.dtype == torch.long
    assert Condition(pi.embeddings).to("cpu").mask is None
