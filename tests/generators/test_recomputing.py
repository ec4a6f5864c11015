"""Gradients through generators that compute layers again: the same, in less memory."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKLWan

from microworld.training.generator import build_transformer
from transporter.generators.condition import Condition
from transporter.generators.diffusers_generator import DiffusersGenerator
from transporter.pipeline.loading import load_generator

Act = Callable[[torch.Tensor], torch.Tensor]


def gradient(act: Act, x: torch.Tensor, inside: AbstractContextManager[None]) -> torch.Tensor:
    x = x.clone().requires_grad_()
    with inside:
        act(x).square().sum().backward()
    return x.grad


def velocity_of(generator: DiffusersGenerator, pi: Condition) -> Act:
    z_t = torch.randn(len(pi), *generator.latent_shape, generator=torch.Generator().manual_seed(0))
    return lambda change: generator.velocity(z_t, torch.full((len(pi),), 0.7), pi + change)


def test_gradients_are_the_same(generator: DiffusersGenerator, pi: Condition) -> None:
    """Of the velocity by the condition, and of the video by the latent."""
    z_xi = torch.randn(2, *generator.latent_shape, generator=torch.Generator().manual_seed(0))
    field, change = velocity_of(generator, pi), torch.zeros_like(pi.embeddings)
    for act, x in ((field, change), (generator.decode, z_xi)):
        kept = gradient(act, x, nullcontext())
        assert kept.abs().max() > 0
        torch.testing.assert_close(gradient(act, x, generator.recomputing()), kept)
        assert torch.equal(gradient(act, x, nullcontext()), kept)


@pytest.fixture(scope="module")
def mid_size(families: Any, tmp_path_factory: pytest.TempPathFactory) -> DiffusersGenerator:
    """The embedded text encoder, twelve layers, and a VAE as Wan 2.1 has it, a sixth as wide."""
    folder: Path = tmp_path_factory.mktemp("mid_size")
    torch.manual_seed(0)
    pipeline = families["wan"].build()
    pipeline.transformer = build_transformer(layers=12)
    pipeline.vae = AutoencoderKLWan(base_dim=16)
    pipeline.save_pretrained(folder)
    size = {"frames": 17, "height": 32, "width": 32, "fps": 8, "max_tokens": 16}
    return load_generator({"adapter": "wan", "path": str(folder), **size}, torch.device("cpu"))


def test_memory_is_that_of_a_layer_or_of_a_latent_frame(
    mid_size: DiffusersGenerator, allocated: Callable[[Callable[[], object]], int]
) -> None:
    pi = mid_size.encode_text(["a large red circle moves slowly left on grass"] * 2)
    field, change = velocity_of(mid_size, pi), torch.zeros_like(pi.embeddings)
    z_xi = torch.randn(1, *mid_size.latent_shape, generator=torch.Generator().manual_seed(0))
    for act, x, share in ((field, change, 0.25), (mid_size.decode, z_xi, 0.6)):
        most = allocated(lambda act=act, x=x: gradient(act, x, nullcontext()))
        fewer = allocated(lambda act=act, x=x: gradient(act, x, mid_size.recomputing()))
        assert fewer < share * most
    kept, made = (
        gradient(mid_size.decode, z_xi, inside)
        for inside in (nullcontext(), mid_size.recomputing())
    )
    torch.testing.assert_close(made, kept)
