"""What only Wan has: two transformers, and a refusal."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from microworld.training.generator import build_transformer
from transporter.generators.wan import WanGenerator
from transporter.support.errors import UserError


@pytest.fixture(scope="module")
def name() -> str:
    return "wan"


def test_an_accelerator_decodes_clip_by_clip(
    folder: Path, generator: WanGenerator, size: dict[str, int]
) -> None:
    sliced = WanGenerator(str(folder), **size, device="meta").pipeline.vae
    decoded = []
    sliced._decode = lambda z: decoded.append(len(z)) or generator.pipeline.vae._decode(z)
    z_xi = torch.randn(3, *generator.latent_shape)
    torch.testing.assert_close(
        sliced.decode(z_xi).sample, generator.pipeline.vae.decode(z_xi).sample
    )
    assert decoded == [1, 1, 1]


def test_each_transformer_is_asked_at_its_own_noise_levels(
    folder: Path, size: dict[str, int]
) -> None:
    two, pi = WanGenerator(str(folder), **size), None
    torch.manual_seed(1)
    two.pipeline.register_modules(transformer_2=build_transformer(layers=2).eval())
    two.pipeline.register_to_config(boundary_ratio=0.5)
    pi, z_t = two.encode_text(["a red circle", "a blue square"]), two.noise([0, 1])
    sigma = torch.tensor([0.7, 0.3])
    with torch.no_grad():
        mixed = two.velocity(z_t, sigma, pi)
        for row, model in enumerate((two.pipeline.transformer, two.pipeline.transformer_2)):
            alone = model(
                hidden_states=z_t[[row]],
                timestep=sigma[[row]] * 1000,
                encoder_hidden_states=pi.embeddings[[row]],
            ).sample
            torch.testing.assert_close(mixed[[row]], alone, atol=1e-5, rtol=1e-4)
    names = [layer.name for layer in two.blocks()]
    assert names == [f"{n}.blocks.{i}" for n in ("transformer", "transformer_2") for i in (0, 1)]


def test_a_timestep_per_token_is_refused(
    folder: Path, size: dict[str, int], tmp_path: Path
) -> None:
    pipeline = WanGenerator(str(folder), **size).pipeline
    pipeline.register_to_config(expand_timesteps=True)
    pipeline.save_pretrained(tmp_path)
    with pytest.raises(UserError, match="one timestep per clip, got one with"):
        WanGenerator(str(tmp_path), **size)
