"""Wan as the hub has it, in bfloat16, against its own pipeline."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path

import checkpoints
import pytest
import torch
import yaml
from diffusers import AutoencoderKLWan, WanPipeline
from hub_models import NEGATIVE, PUBLISHED

from transporter.generators.condition import Condition
from transporter.generators.modulation import Modulation
from transporter.generators.wan import WanGenerator

CAPTIONS = ["a dog runs slowly on grass", "the red circle moves left"]
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def pi(generator: WanGenerator) -> Condition:
    return generator.encode_text(CAPTIONS)


@pytest.fixture(scope="module")
def published(hub: Path) -> WanPipeline:
    """As the model's card loads it."""
    vae = AutoencoderKLWan.from_pretrained(hub / "wan" / "vae", torch_dtype=torch.float32)
    made = WanPipeline.from_pretrained(hub / "wan", vae=vae, torch_dtype=torch.bfloat16)
    made.set_progress_bar_config(disable=True)
    return made


def test_the_pipeline_itself_makes_the_same_clips(
    generator: WanGenerator, pi: Condition, published: WanPipeline
) -> None:
    frames, _, height, width = generator.video_shape
    expected = published(
        prompt=CAPTIONS,
        negative_prompt=[NEGATIVE] * 2,
        latents=generator.noise([0, 1]),
        height=height,
        width=width,
        num_frames=frames,
        num_inference_steps=3,
        guidance_scale=5.0,
        output_type="latent",
    ).frames
    got = generator.sample(pi, [0, 1], 3, 5.0)
    torch.testing.assert_close(got, expected.float(), atol=0, rtol=0)
    assert got.isfinite().all()


def test_a_negative_prompt_matters(
    generator: WanGenerator, pi: Condition, make_generator: Callable[..., WanGenerator]
) -> None:
    without = make_generator(negative_prompt=None)
    assert torch.equal(without.unconditional().embeddings, generator.encode_text([""]).embeddings)
    assert (generator.unconditional() - without.unconditional()).embeddings.abs().max() > 0.1
    guided, unguided = (
        [one.sample(pi, [0, 1], 2, guidance) for one in (generator, without)]
        for guidance in (5.0, 1.0)
    )
    assert (guided[0] - guided[1]).abs().max() > 0.01
    assert torch.equal(*unguided)


def test_prompts_are_as_long_as_the_model_was_trained_with(pi: Condition) -> None:
    """The pipeline's own length, padded with zeros, which nothing masks."""
    own = inspect.signature(WanPipeline.__call__).parameters["max_sequence_length"].default
    assert pi.embeddings.shape[1] == own == PUBLISHED
    tokens = pi.embeddings.abs().amax(-1) > 0
    assert tokens.sum(1).tolist() == [7, 6]
    assert not tokens[:, 7:].any()
    paper = yaml.safe_load((ROOT / "config" / "paper.yaml").read_text())["generators"]
    assert {model["max_tokens"] for model in paper.values() if model["adapter"] == "wan"} == {own}


def test_what_is_added_up_is_in_single_precision(generator: WanGenerator, pi: Condition) -> None:
    """A change of a hundredth of the condition is not lost beside it."""
    assert pi.embeddings.dtype == torch.float32
    change = pi.along(torch.full_like(pi.embeddings[0], 1e-4))
    moved = (pi + change).embeddings - pi.embeddings
    torch.testing.assert_close(moved, change.embeddings, atol=1e-6, rtol=0)
    z_t, sigma = generator.noise([0, 1]), torch.tensor([0.5, 0.9])
    embeddings = pi.embeddings.clone().requires_grad_()
    velocity = generator.velocity(z_t, sigma, Condition(embeddings))
    velocity.square().sum().backward()
    assert velocity.dtype == embeddings.grad.dtype == torch.float32
    assert embeddings.grad.abs().sum() > 0


def test_a_change_begins_where_it_is_told_to(generator: WanGenerator, pi: Condition) -> None:
    change = Modulation(pi.along(torch.ones_like(pi.embeddings[0])), steps=(0.5, 1.0))
    still = Modulation(pi.along(torch.zeros_like(pi.embeddings[0])), steps=(0.5, 1.0))
    plain = generator.sample(pi, [0, 1], 2, 5.0)
    assert torch.equal(generator.sample(pi, [0, 1], 2, 5.0, still), plain)
    assert (generator.sample(pi, [0, 1], 2, 5.0, change) - plain).abs().max() > 0.01


def test_the_vae_stays_in_single_precision(
    generator: WanGenerator,
    make_generator: Callable[..., WanGenerator],
    hub: Path,
    video: torch.Tensor,
) -> None:
    vae = AutoencoderKLWan.from_pretrained(hub / "wan" / "vae")
    pixels = (video[:1] * 2 - 1).transpose(1, 2)
    with torch.no_grad():
        z = vae.encode(pixels).latent_dist.mode()
        mean, std = (
            torch.tensor(values).view(1, -1, 1, 1, 1)
            for values in (vae.config.latents_mean, vae.config.latents_std)
        )
        encoded = generator.encode(video[:1])
    torch.testing.assert_close(encoded, (z - mean) / std, atol=1e-5, rtol=1e-4)
    assert make_generator(vae_dtype="bfloat16").part("vae").dtype == torch.bfloat16
    assert generator.part("transformer").dtype == torch.bfloat16


def test_two_transformers_are_both_asked(
    hub: Path, tmp_path: Path, make_generator: Callable[..., WanGenerator]
) -> None:
    checkpoints.wan(tmp_path, boundary=0.875)
    two = make_generator(path=str(tmp_path))
    pi, z_t = two.encode_text(CAPTIONS), two.noise([0, 1])
    assert two.sample(pi, [0, 1], 3, 5.0).isfinite().all()
    levels = torch.tensor([0.95, 0.5])
    with torch.no_grad():
        both = two.velocity(z_t, levels, pi)
        for row, (_, network) in enumerate(two.transformers()):
            alone = two._velocity(network, z_t[[row]], levels[[row]], pi[[row]])
            torch.testing.assert_close(both[[row]], alone, atol=0, rtol=0)


def test_two_transformers_have_scales_of_their_own(
    hub: Path, tmp_path: Path, make_generator: Callable[..., WanGenerator]
) -> None:
    """As the pipeline's own call takes them."""
    checkpoints.wan(tmp_path, boundary=0.875)
    two = make_generator(path=str(tmp_path), guidance_2=1.5)
    pi = two.encode_text(CAPTIONS)
    got = two.sample(pi, [0, 1], 3, 5.0)
    frames, _, height, width = two.video_shape
    expected = two.pipeline(
        latents=two.noise([0, 1]),
        prompt_embeds=two._cast(pi.embeddings),
        negative_prompt_embeds=two._cast(two.unconditional().expand(2).embeddings),
        height=height,
        width=width,
        num_frames=frames,
        num_inference_steps=3,
        guidance_scale=5.0,
        guidance_scale_2=1.5,
        output_type="latent",
    ).frames
    assert torch.equal(got, expected.float())
    two._guidance_2 = None
    assert not torch.equal(got, two.sample(pi, [0, 1], 3, 5.0))
