"""The second eigenvalue, against all eigenvalues of the whole matrix."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F

from transporter.generators.diffusers_generator import DiffusersGenerator
from transporter.saliency.spectrum import layer_eigenvalues, layers_above, second_eigenvalue


@pytest.mark.parametrize("size", [2, 9, 120])
def test_a_chains_second_eigenvalue(size: int) -> None:
    draws = torch.Generator().manual_seed(size)
    scores = 2 * torch.randn(2, 3, size, size, generator=draws)
    # two halves that rarely meet mix slowly
    scores[1, :, : size // 2, size // 2 :] -= 3
    scores[1, :, size // 2 :, : size // 2] -= 3
    chain = scores.softmax(-1)
    expected = torch.linalg.eigvals(chain.double()).abs().sort(-1).values[..., -2]
    start = torch.randn(2, 3, size, 1, generator=draws)
    found = second_eigenvalue(lambda x: chain @ x, start)
    assert torch.allclose(found.double(), expected, atol=0.01)


def test_layers_are_read_in_one_pass(
    generator: DiffusersGenerator, captions: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    z_t = torch.randn(2, *generator.latent_shape, generator=torch.Generator().manual_seed(0))
    sigma, pi = torch.full((2,), 0.5), generator.encode_text(captions)
    plain = generator.velocity(z_t, sigma, pi)
    found = layer_eigenvalues(generator, z_t, sigma, pi)
    assert torch.equal(generator.velocity(z_t, sigma, pi), plain)

    whole: list[torch.Tensor] = []
    attention = F.scaled_dot_product_attention

    def watched(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, **others: Any) -> Any:
        if query.shape[2] == key.shape[2]:
            eye = torch.eye(key.shape[2]).expand(*key.shape[:2], -1, -1)
            whole.append(attention(query, key, eye, attn_mask=others.get("attn_mask")))
        return attention(query, key, value, **others)

    monkeypatch.setattr(F, "scaled_dot_product_attention", watched)
    generator.velocity(z_t, sigma, pi)
    chains = whole[-len(found) :]  # a family's refiner of text comes before
    expected = [
        torch.linalg.eigvals(chain).abs().sort(-1).values[..., -2].mean() for chain in chains
    ]
    assert torch.allclose(found, torch.stack(expected), atol=1e-4)
    assert layers_above(found, float(found.min())) == tuple(
        layer for layer in range(len(found)) if found[layer] > found.min()
    )
