"""What only Wan has: two transformers, and a timestep per token."""

from __future__ import annotations

from contextlib import nullcontext
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler

from microworld.training.generator import build_transformer
from transporter.generators.modulation import Modulation
from transporter.generators.self_test import generator_checks
from transporter.generators.wan import WanGenerator
from transporter.support.self_test import findings


@pytest.fixture(scope="module")
def name() -> str:
    return "wan"


def test_an_accelerator_decodes_clip_by_clip(
    folder: Path, generator: WanGenerator, size: dict[str, int]
) -> None:
    sliced = WanGenerator(str(folder), **size, device="meta").part("vae")
    decoded = []
    sliced._decode = lambda z: decoded.append(len(z)) or generator.part("vae")._decode(z)
    z_xi = torch.randn(3, *generator.latent_shape)
    torch.testing.assert_close(
        sliced.decode(z_xi).sample, generator.part("vae").decode(z_xi).sample
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
        for row, model in enumerate((two.part("transformer"), two.part("transformer_2"))):
            alone = model(
                hidden_states=z_t[[row]],
                timestep=sigma[[row]] * 1000,
                encoder_hidden_states=pi.embeddings[[row]],
            ).sample
            torch.testing.assert_close(mixed[[row]], alone, atol=1e-5, rtol=1e-4)
    names = [layer.name for layer in two.blocks()]
    assert names == [f"{n}.blocks.{i}" for n in ("transformer", "transformer_2") for i in (0, 1)]


@pytest.fixture(scope="module")
def per_token(wan_ti2v: Path, size: dict[str, int]) -> WanGenerator:
    return WanGenerator(str(wan_ti2v), **size | {"height": 64, "width": 96})


def test_a_timestep_per_token_is_told_as_the_pipeline_does(per_token: WanGenerator) -> None:
    assert per_token.latent_shape == (48, 3, 4, 6)
    told: list[torch.Tensor] = []
    transformer = per_token.part("transformer")
    hook = transformer.register_forward_pre_hook(
        lambda module, args, kwargs: told.append(kwargs["timestep"]), with_kwargs=True
    )
    found = list(findings(generator_checks(per_token)))
    hook.remove()
    assert [one.words for one in found if not one.passed] == []
    # 3 frames of 2 x 3 tokens
    assert {tuple(timestep.shape[1:]) for timestep in told} == {(3 * 2 * 3,)}


def test_steps_along_its_velocity_lead_where_the_pipeline_does(
    per_token: WanGenerator, captions: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    euler = FlowMatchEulerDiscreteScheduler(shift=3.0)
    monkeypatch.setattr(per_token.pipeline, "scheduler", euler)
    pi = per_token.encode_text(captions)
    expected = per_token.sample(pi, [3, 4], steps=3, guidance=1.0)
    z_t = per_token.noise([3, 4])
    for sigma, after in pairwise(per_token.sigmas(3)):
        with torch.no_grad():
            z_t = z_t + (after - sigma) * per_token.velocity(z_t, torch.full((2,), sigma), pi)
    torch.testing.assert_close(z_t, expected, atol=1e-3, rtol=1e-3)


def test_its_vae_is_the_pipelines_and_is_decoded_again(
    per_token: WanGenerator, captions: list[str]
) -> None:
    pi, noise = per_token.encode_text(captions[:1]), per_token.noise([3])
    frames, _, height, width = per_token.video_shape
    whole = per_token.pipeline(
        latents=noise,
        prompt_embeds=pi.embeddings,
        negative_prompt_embeds=per_token.unconditional().embeddings,
        height=height,
        width=width,
        num_frames=frames,
        num_inference_steps=1,
        guidance_scale=1.0,
        output_type="pt",
    ).frames
    z_xi = per_token.sample(pi, [3], steps=1, guidance=1.0)
    torch.testing.assert_close(per_token.decode(z_xi).clamp(0, 1), whole, atol=1e-5, rtol=1e-4)
    gradients = []
    for inside in (nullcontext(), per_token.recomputing()):
        latent = z_xi[:, :, :2, :2, :2].clone().requires_grad_()
        with inside:
            per_token.decode(latent).square().mean().backward()
        gradients.append(latent.grad)
    assert gradients[0].abs().max() > 0
    torch.testing.assert_close(*gradients)


def test_some_of_its_frames_are_changed_alone(per_token: WanGenerator, captions: list[str]) -> None:
    """In a single step no frame has seen another's."""
    pi = per_token.encode_text(captions)
    delta = pi[[1, 0]] - pi
    plain = per_token.sample(pi, [3, 4], 1, 3.0)
    part = per_token.sample(pi, [3, 4], 1, 3.0, Modulation(delta, frames=(0.5, 1.0)))
    torch.testing.assert_close(part[:, :, :2], plain[:, :, :2], atol=1e-4, rtol=1e-3)
    assert (part[:, :, 2:] - plain[:, :, 2:]).abs().mean() > 1e-3
