"""Every adapter against its family's own pipeline, on untrained models: what a generator must
keep to.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler, UniPCMultistepScheduler

from transporter.generators.condition import Condition
from transporter.generators.diffusers_generator import DiffusersGenerator
from transporter.generators.modulation import Modulation
from transporter.networks.hooks import recorded
from transporter.pipeline.loading import load_generator
from transporter.support.errors import UserError

CAPTIONS = [
    "a large red circle moves slowly left on grass",
    "a square spins quickly on sand during the night",
]
NOISES = [3, 4]
CLOSE = {"atol": 1e-4, "rtol": 1e-3}


def swapped(pi: Condition) -> Condition:
    """What makes of each of two captions the other."""
    return pi[[1, 0]] - pi


def hooks(generator: DiffusersGenerator) -> int:
    modules = list(generator.part("transformer").modules())
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in modules)


def test_shapes(family: Any, generator: DiffusersGenerator, pi: Condition) -> None:
    video = torch.rand(2, *generator.video_shape)
    z_xi = generator.encode(video)
    assert z_xi.shape == (2, *generator.latent_shape) == (2, *family.latent)
    assert z_xi.dtype == torch.float32
    assert generator.decode(z_xi).shape == video.shape
    assert pi.embeddings.shape == (2, *generator.condition_shape)
    assert generator.velocity(z_xi, torch.tensor([0.3, 0.9]), pi).shape == z_xi.shape


def test_a_latent_that_is_decoded_is_the_pipelines_video(
    generator: DiffusersGenerator, family: Any
) -> None:
    arguments = {**call(generator, steps=2, guidance=1.0), **family.plain}
    torch.manual_seed(0)
    latents = generator._layout(generator.pipeline(**arguments, output_type="latent").frames)
    video = generator.pipeline(**arguments, output_type="pt").frames
    torch.testing.assert_close(generator.decode(latents).clamp(0, 1), video, atol=1e-5, rtol=1e-4)


def call(generator: DiffusersGenerator, steps: int, guidance: float) -> dict[str, Any]:
    """What the plain pipeline is asked for, in words."""
    frames, _, height, width = generator.video_shape
    return {
        "prompt": CAPTIONS,
        "latents": generator._layout(generator.noise(NOISES)),
        "height": height,
        "width": width,
        "num_frames": frames,
        "num_inference_steps": steps,
        "guidance_scale": guidance,
        "max_sequence_length": generator.condition_shape[0],
    }


@pytest.mark.parametrize("guidance", [1.0, 3.0])
def test_sample_equals_the_plain_pipeline(
    generator: DiffusersGenerator, family: Any, pi: Condition, guidance: float
) -> None:
    arguments = {**call(generator, steps=3, guidance=guidance), **family.plain}
    plain = generator.pipeline(**arguments, output_type="latent").frames
    sampled = generator.sample(pi, NOISES, steps=3, guidance=guidance)
    assert torch.equal(sampled, generator._layout(plain))
    assert (sampled[0] - sampled[1]).abs().mean() > 0.1


@pytest.mark.parametrize("steps", [1, 4])
def test_euler_steps_along_the_velocity_lead_where_the_pipeline_does(
    generator: DiffusersGenerator,
    family: Any,
    pi: Condition,
    steps: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """DDIM is Euler's method too, once latents are scaled as flow matching scales them."""
    if isinstance(generator.pipeline.scheduler, UniPCMultistepScheduler):
        # a solver of higher order, which rounds its timesteps besides
        euler = FlowMatchEulerDiscreteScheduler(shift=3.0)
        monkeypatch.setattr(generator.pipeline, "scheduler", euler)
    expected = generator.sample(pi, NOISES, steps, guidance=1.0)
    z_t, levels = generator.noise(NOISES), family.levels(generator.pipeline, steps)
    assert len(levels) == steps + 1 and levels[0] > 0.99 and levels[-1] == 0
    for sigma, after in pairwise(levels):
        with torch.no_grad():
            z_t = z_t + (after - sigma) * generator.velocity(z_t, torch.full((2,), sigma), pi)
    torch.testing.assert_close(z_t, expected, atol=1e-3, rtol=1e-3)


def test_velocity_turns_with_the_noise_level_and_the_caption(
    generator: DiffusersGenerator, pi: Condition
) -> None:
    """Whatever is compared above must differ for this to tell anything."""
    z_t = generator.noise(NOISES)
    with torch.no_grad():
        first, second = (generator.velocity(z_t, torch.full((2,), s), pi) for s in (0.9, 0.4))
        other = generator.velocity(z_t, torch.full((2,), 0.9), pi[[1, 0]])
    assert (first - second).abs().mean() > 1e-3
    assert (first - other).abs().mean() > 1e-3


def test_a_clip_does_not_depend_on_its_batch(generator: DiffusersGenerator, pi: Condition) -> None:
    both = generator.sample(pi, NOISES, steps=3, guidance=3.0)
    alone = generator.sample(pi[1:], NOISES[1:], steps=3, guidance=3.0)
    torch.testing.assert_close(both[1:], alone, **CLOSE)
    z_t, sigma = generator.noise(NOISES), torch.tensor([0.2, 0.8])
    with torch.no_grad():
        rows = [generator.velocity(z_t[[r]], sigma[[r]], pi[[r]]) for r in range(2)]
        torch.testing.assert_close(generator.velocity(z_t, sigma, pi), torch.cat(rows), **CLOSE)


def test_as_many_seeds_as_conditions(generator: DiffusersGenerator, pi: Condition) -> None:
    with pytest.raises(ValueError, match="one seed per condition, got 1 seeds for 2"):
        generator.sample(pi, [3], steps=1, guidance=1.0)


def test_gradients_reach_the_latent_and_all_of_the_condition(
    generator: DiffusersGenerator, pi: Condition
) -> None:
    z_t = torch.randn(2, *generator.latent_shape, requires_grad=True)
    embeddings = pi.embeddings.clone().requires_grad_()
    pooled = None if pi.pooled is None else pi.pooled.clone().requires_grad_()
    condition = Condition(embeddings, pi.mask, pooled)
    generator.velocity(z_t, torch.tensor([0.5, 0.5]), condition).square().mean().backward()
    reached = [z_t, embeddings, *(() if pooled is None else (pooled,))]
    assert all((part.grad.flatten(1).abs().sum(1) > 0).all() for part in reached)
    assert all(part.grad.isfinite().all() for part in reached)


def test_gradients_run_through_both_ways_of_the_vae(generator: DiffusersGenerator) -> None:
    video = torch.rand(1, *generator.video_shape, requires_grad=True)
    generator.decode(generator.encode(video)).square().mean().backward()
    assert video.grad.abs().sum() > 0


def test_no_weight_asks_for_a_gradient(generator: DiffusersGenerator) -> None:
    networks = [network for _, network in generator.networks()]
    assert len(networks) >= 3
    assert not any(weight.requires_grad for n in networks for weight in n.parameters())
    assert not any(network.training for network in networks)


def test_a_whole_modulation_is_a_changed_condition(
    generator: DiffusersGenerator, pi: Condition
) -> None:
    delta = swapped(pi)
    modulated = generator.sample(pi, NOISES, 3, 3.0, Modulation(delta))
    assert torch.equal(modulated, generator.sample(pi + delta, NOISES, 3, 3.0))
    if pi.mask is None:
        # nothing is left of the caption that the change leads away from
        torch.testing.assert_close(modulated, generator.sample(pi[[1, 0]], NOISES, 3, 3.0), **CLOSE)


def test_a_modulation_that_is_active_nowhere_changes_nothing(
    generator: DiffusersGenerator, pi: Condition
) -> None:
    plain = generator.sample(pi, NOISES, 3, 3.0)
    never = Modulation(swapped(pi), steps=(0.7, 0.9))
    assert not any(never.active(step, 3) for step in range(3))
    assert torch.equal(generator.sample(pi, NOISES, 3, 3.0, never), plain)
    nowhere = Modulation(swapped(pi), frames=(0.7, 0.9))
    assert not nowhere.frame_mask(3).any()
    torch.testing.assert_close(generator.sample(pi, NOISES, 3, 3.0, nowhere), plain, **CLOSE)


def test_each_frame_has_its_own_condition(generator: DiffusersGenerator, pi: Condition) -> None:
    """In a single step no frame has seen another's."""
    delta = swapped(pi)
    plain = generator.sample(pi, NOISES, 1, 3.0)
    whole = generator.sample(pi, NOISES, 1, 3.0, Modulation(delta))
    part = generator.sample(pi, NOISES, 1, 3.0, Modulation(delta, frames=(0.5, 1.0)))
    assert (whole - plain).abs().mean() > 1e-3
    torch.testing.assert_close(part[:, :, :2], plain[:, :, :2], **CLOSE)
    torch.testing.assert_close(part[:, :, 2:], whole[:, :, 2:], **CLOSE)


def test_each_place_has_its_own_condition(generator: DiffusersGenerator, pi: Condition) -> None:
    """In a single step no place has seen another's."""
    delta, (_, frames, height, width) = swapped(pi), generator.latent_shape
    where = torch.zeros(len(pi), frames, height, width)
    where[0, :, : height // 2], where[1, ..., width // 2 :] = 1, 1
    plain = generator.sample(pi, NOISES, 1, 3.0)
    whole = generator.sample(pi, NOISES, 1, 3.0, Modulation(delta))
    part = generator.sample(pi, NOISES, 1, 3.0, Modulation(delta, where=where))
    torch.testing.assert_close(part, plain.lerp(whole, where[:, None]), **CLOSE)


def test_a_step_that_is_not_modulated_sees_the_caption_alone(
    generator: DiffusersGenerator, pi: Condition
) -> None:
    seen = []
    hook = generator.part("transformer").register_forward_pre_hook(
        lambda module, args, kwargs: seen.append(kwargs["encoder_hidden_states"].clone()),
        with_kwargs=True,
    )
    delta = swapped(pi)
    generator.sample(pi, NOISES, 4, 1.0, Modulation(delta, steps=(0.25, 0.75)))
    hook.remove()
    expected = [pi, pi + delta, pi + delta, pi]
    assert all(torch.equal(a, b.embeddings) for a, b in zip(seen, expected, strict=True))


@pytest.mark.parametrize("steps", [(0.0, 1.0), (0.5, 1.0), (0.25, 0.5)])
@pytest.mark.parametrize("frames", [(0.0, 1.0), (0.5, 1.0)])
def test_a_sweep_from_one_noise_equals_one_run_of_each_strength(
    generator: DiffusersGenerator,
    pi: Condition,
    steps: tuple[float, float],
    frames: tuple[float, float],
) -> None:
    strengths, delta = torch.tensor([0.0, 0.5, 1.0]), swapped(pi)
    deltas = strengths.repeat(2) * delta.repeat_interleave(3)
    together = generator.sample(pi, NOISES, 4, 3.0, Modulation(deltas, steps, frames))
    together = together.unflatten(0, (2, 3))
    for index, phi in enumerate(strengths):
        alone = generator.sample(pi, NOISES, 4, 3.0, Modulation(phi * delta, steps, frames))
        torch.testing.assert_close(together[:, index], alone, **CLOSE)
    assert (together[:, 2] - together[:, 0]).abs().mean() > 1e-3


def test_no_hook_stays_behind(generator: DiffusersGenerator, pi: Condition) -> None:
    assert hooks(generator) == 0
    generator.sample(pi, NOISES, 2, 3.0, Modulation(swapped(pi), frames=(0.5, 1.0)))
    assert hooks(generator) == 0
    broken = Modulation(Condition(torch.zeros(2, 3, 5)), frames=(0.5, 1.0))
    with pytest.raises(RuntimeError):
        generator.sample(pi, NOISES, 2, 3.0, broken)
    late = Modulation(Condition(torch.zeros(2, 3, 5)), steps=(0.5, 1.0))
    with pytest.raises(RuntimeError):
        generator.sample(pi, NOISES, 2, 3.0, late)
    assert hooks(generator) == 0


def test_blocks_can_be_read_while_the_velocity_runs(
    generator: DiffusersGenerator, family: Any, pi: Condition
) -> None:
    layers = generator.blocks()
    with torch.no_grad(), recorded(layers) as features:
        generator.velocity(generator.noise(NOISES), torch.tensor([0.5, 0.5]), pi)
    assert [layer.name for layer in layers] == list(features)
    assert len(layers) == family.blocks
    frames, rows, columns = generator.block_grid
    assert (frames, rows, columns) == (3, 2, 2)
    for read in features.values():
        [tokens] = read.calls
        assert tokens.shape[:2] == (2, frames * rows * columns)


@pytest.mark.parametrize(
    ("key", "value", "hint"), [("frames", 8, "9"), ("height", 40, "32"), ("width", 56, "48")]
)
def test_sizes_the_model_cannot_make_are_refused(
    name: str, folder: Path, size: dict[str, int], key: str, value: int, hint: str
) -> None:
    with pytest.raises(UserError, match=f"{key}.*got {value}; {hint} works"):
        load_generator({"adapter": name, "path": str(folder), **size, key: value})


def test_half_precision_runs(name: str, folder: Path, size: dict[str, int]) -> None:
    settings = {"adapter": name, "path": str(folder), "dtype": "bfloat16", **size}
    half = load_generator(settings, torch.device("cpu"))
    pi = half.encode_text(CAPTIONS)
    velocity = half.velocity(half.noise(NOISES), torch.tensor([0.5, 1.0]), pi)
    change = Modulation(swapped(pi), steps=(0.5, 1.0), frames=(0.5, 1.0))
    z_xi = half.sample(pi, NOISES, 2, 3.0, change)
    for made in (velocity, z_xi, half.decode(z_xi), half.encode(half.decode(z_xi).clamp(0, 1))):
        assert made.dtype == torch.float32
        assert made.isfinite().all()
