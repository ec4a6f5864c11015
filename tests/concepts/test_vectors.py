"""Where vectors start, and the directions they are made of."""

from __future__ import annotations

import pytest
import torch

from transporter.concepts.contexts import Contexts
from transporter.concepts.vectors import Vectors, mean_difference, principal_directions
from transporter.generators.condition import Condition

L, D = 3, 4


def contexts(count: int, seed: int) -> Contexts:
    """Captions that vary in two directions only, the first of which by far the most."""
    random = torch.Generator().manual_seed(seed)
    axes = torch.linalg.qr(torch.randn(L * D, 2, generator=torch.Generator().manual_seed(9)))[0].T
    minus, plus = (
        (torch.randn(count, 2, generator=random) @ (torch.tensor([[5.0], [1.0]]) * axes) + 7).view(
            count, L, D
        )
        for _ in range(2)
    )
    return Contexts(Condition(minus), Condition(plus), torch.zeros(count, 1, 1, 1, 1))


def test_directions_are_those_in_which_captions_vary() -> None:
    parts = [contexts(40, 0), contexts(30, 1)]
    directions = principal_directions(parts, "each", 8)
    assert directions.shape == (2, L * D)
    torch.testing.assert_close(directions @ directions.T, torch.eye(2), atol=1e-5, rtol=0)
    sides = [side for part in parts for side in (part.pi_minus, part.pi_plus)]
    pi = Condition.cat(sides).embeddings.flatten(1)
    deviations = ((pi - pi.mean(0)) @ directions.T).std(0)
    assert float(deviations[0]) == pytest.approx(5, rel=0.2)
    assert float(deviations[1]) == pytest.approx(1, rel=0.2)
    assert principal_directions(parts, "shared", 1).shape == (1, D)


@pytest.mark.parametrize("tokens", ["each", "shared"])
def test_vectors_stay_where_they_start(tokens: str) -> None:
    parts = [contexts(40, 0), contexts(30, 1)]
    prompts = torch.stack([mean_difference(part, tokens) for part in parts])
    assert prompts.shape == (2, L if tokens == "each" else 1, D)
    assert torch.equal(Vectors(prompts)(), prompts)
    assert torch.equal(Vectors(prompts, principal_directions(parts, tokens, 2))(), prompts)


def test_vectors_move_along_the_directions_alone() -> None:
    start, directions = (
        torch.randn(2, L, D, generator=torch.Generator().manual_seed(3)),
        torch.eye(L * D)[:5],
    )
    vectors = Vectors(start, directions)
    vectors.weights.data += 1
    expected = torch.zeros(L * D)
    expected[:5] = 1
    torch.testing.assert_close(vectors() - start, expected.view(L, D).expand(2, -1, -1))


def test_gradients_reach_the_weights_of_the_directions() -> None:
    vectors = Vectors(torch.zeros(2, L, D), directions := torch.eye(L * D)[:5])
    wanted = torch.randn(2, L, D, generator=torch.Generator().manual_seed(0))
    (vectors() * wanted).sum().backward()
    torch.testing.assert_close(vectors.weights.grad, wanted.flatten(1) @ directions.T)
