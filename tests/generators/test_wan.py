"""The Wan adapter against plain `WanPipeline`, on an untrained pipeline."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from diffusers import UniPCMultistepScheduler, WanPipeline

from microworld.language import build_tokenizer
from microworld.training.generator import (
    MAX_TOKENS,
    build_text_encoder,
    build_transformer,
)
from microworld.training.vae import build_vae
from transporter.generators.modulation import Modulation
from transporter.generators.wan import WanGenerator
from transporter.support.errors import UserError

SIZE = {"frames": 17, "height": 64, "width": 64, "fps": 8, "max_tokens": MAX_TOKENS}
CAPTIONS = [
    "a large red circle moves slowly left on grass",
    "a square spins quickly on sand during the night",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("generator")
    vae = build_vae()
    vae.register_to_config(latents_mean=[0.5] * 16, latents_std=[2.0] * 16)
    pipeline = WanPipeline(
        tokenizer=build_tokenizer(MAX_TOKENS, append_eos=True),
        text_encoder=build_text_encoder(),
        vae=vae,
        scheduler=UniPCMultistepScheduler(
            prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=1.0
        ),
        transformer=build_transformer(layers=2),
    )
    pipeline.save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def generator(folder: Path) -> WanGenerator:
    return WanGenerator(str(folder), **SIZE)


@pytest.fixture(scope="module")
def pi(generator: WanGenerator) -> torch.Tensor:
    return generator.encode_text(CAPTIONS)


def test_shapes(generator: WanGenerator, pi: torch.Tensor) -> None:
    video = torch.rand(2, *generator.video_shape)
    z_xi = generator.encode(video)
    assert z_xi.shape == (2, *generator.latent_shape) == (2, 16, 5, 8, 8)
    assert generator.decode(z_xi).shape == video.shape
    assert pi.shape == (2, *generator.condition_shape)
    assert generator.velocity(z_xi, torch.tensor([0.3, 0.9]), pi).shape == z_xi.shape


def test_an_accelerator_decodes_clip_by_clip(folder: Path, generator: WanGenerator) -> None:
    sliced = WanGenerator(str(folder), **SIZE, device="meta").pipeline.vae
    decoded = []
    sliced._decode = lambda z: decoded.append(len(z)) or generator.pipeline.vae._decode(z)
    z_xi = torch.randn(3, *generator.latent_shape)
    torch.testing.assert_close(
        sliced.decode(z_xi).sample, generator.pipeline.vae.decode(z_xi).sample
    )
    assert decoded == [1, 1, 1]


def test_sample_equals_the_plain_pipeline(generator: WanGenerator, pi: torch.Tensor) -> None:
    latents = generator.sample(pi, seeds=[3, 4], steps=4, guidance=3.0)
    plain = generator.pipeline(
        prompt=CAPTIONS,
        negative_prompt="",
        latents=generator.noise([3, 4]),
        height=64,
        width=64,
        num_frames=17,
        num_inference_steps=4,
        guidance_scale=3.0,
        max_sequence_length=MAX_TOKENS,
        output_type="pt",
    ).frames
    torch.testing.assert_close(generator.decode(latents), plain, atol=1e-5, rtol=1e-4)


def test_a_clip_does_not_depend_on_its_batch(generator: WanGenerator, pi: torch.Tensor) -> None:
    both = generator.sample(pi, seeds=[3, 4], steps=3, guidance=3.0)
    alone = generator.sample(pi[1:], seeds=[4], steps=3, guidance=3.0)
    torch.testing.assert_close(both[1:], alone, atol=1e-4, rtol=1e-3)


def test_a_whole_modulation_is_a_changed_condition(
    generator: WanGenerator, pi: torch.Tensor
) -> None:
    delta = pi[[1, 0]] - pi
    modulated = generator.sample(pi, [3, 4], 3, 3.0, Modulation(delta))
    torch.testing.assert_close(modulated, generator.sample(pi + delta, [3, 4], 3, 3.0))


def test_partial_frames_of_all_frames_and_of_nothing_to_change(
    generator: WanGenerator, pi: torch.Tensor
) -> None:
    delta = pi[[1, 0]] - pi
    plain = generator.sample(pi, [3, 4], 3, 3.0)
    half = generator.sample(pi, [3, 4], 3, 3.0, Modulation(delta, frames=(0.5, 1.0)))
    still = generator.sample(
        pi, [3, 4], 3, 3.0, Modulation(torch.zeros_like(pi), frames=(0.5, 1.0))
    )
    torch.testing.assert_close(still, plain, atol=1e-4, rtol=1e-3)
    assert (half - plain).abs()[:, :, 3:].mean() > (half - plain).abs()[:, :, :2].mean()


def test_step_injection_after_the_first_step_shares_it(
    generator: WanGenerator, pi: torch.Tensor
) -> None:
    delta = pi[[1, 0]] - pi
    seen = []
    hook = generator.pipeline.transformer.register_forward_pre_hook(
        lambda module, args, kwargs: seen.append(kwargs["encoder_hidden_states"].clone()),
        with_kwargs=True,
    )
    generator.sample(pi, [3, 4], 4, 1.0, Modulation(delta, steps=(0.5, 1.0)))
    hook.remove()
    changed = [not torch.equal(condition, pi) for condition in seen]
    assert changed == [False, False, True, True]


@pytest.mark.parametrize("steps", [(0.0, 1.0), (0.5, 1.0), (0.25, 0.5)])
def test_several_deltas_per_condition_equal_one_run_each(
    generator: WanGenerator, pi: torch.Tensor, steps: tuple[float, float]
) -> None:
    delta = (pi[[1, 0]] - pi)[:, None] * torch.tensor([0.0, 0.5, 1.0]).view(1, 3, 1, 1)
    together = generator.sample(
        pi, [3, 4], 4, 3.0, Modulation(delta.flatten(0, 1), steps)
    ).unflatten(0, (2, 3))
    for index in range(3):
        alone = generator.sample(pi, [3, 4], 4, 3.0, Modulation(delta[:, index], steps))
        torch.testing.assert_close(together[:, index], alone, atol=1e-4, rtol=1e-3)


def test_velocity_lets_gradients_through(generator: WanGenerator, pi: torch.Tensor) -> None:
    z_t, condition = (
        torch.randn(2, *generator.latent_shape, requires_grad=True),
        pi.clone().requires_grad_(),
    )
    generator.velocity(z_t, torch.tensor([0.5, 0.5]), condition).square().mean().backward()
    assert z_t.grad.abs().sum() > 0
    assert condition.grad.abs().sum() > 0
    assert all(p.grad is None for p in generator.pipeline.transformer.parameters())


@pytest.mark.parametrize(
    ("key", "value", "hint"), [("frames", 16, "17"), ("height", 60, "48"), ("width", 72, "64")]
)
def test_sizes_the_model_cannot_make_are_refused(
    folder: Path, key: str, value: int, hint: str
) -> None:
    with pytest.raises(UserError, match=f"{key}.*got {value}; {hint} works"):
        WanGenerator(str(folder), **{**SIZE, key: value})
