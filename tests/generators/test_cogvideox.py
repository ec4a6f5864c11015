"""What only CogVideoX has: a noise schedule that is no flow, and models that it does not fit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import CogVideoXDPMScheduler

from transporter.generators.cogvideox import CogVideoXGenerator
from transporter.support.errors import UserError


@pytest.fixture(scope="module")
def name() -> str:
    return "cogvideox"


def test_a_model_that_knows_the_clip_has_the_velocity_of_flow_matching(
    generator: CogVideoXGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The model's place is taken by the exact prediction for a known clip and noise, made by the
    scheduler's own formulas.
    """
    scheduler = generator.pipeline.scheduler
    z_0, noise = torch.randn(2, 3, *generator.latent_shape).unbind(0)
    pi, timesteps = generator.encode_text(["a red circle"] * 3), torch.tensor([20, 500, 990])
    alpha_squared = scheduler.alphas_cumprod[timesteps].double()
    alpha, beta = alpha_squared.sqrt(), (1 - alpha_squared).sqrt()
    sigma = (beta / (alpha + beta)).float()

    def exact(hidden_states: torch.Tensor, timestep: torch.Tensor, **others: Any) -> tuple:
        x = scheduler.add_noise(z_0.transpose(1, 2), noise.transpose(1, 2), timesteps)
        torch.testing.assert_close(hidden_states, x, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(timestep, timesteps.float(), atol=1e-2, rtol=0)
        return (scheduler.get_velocity(z_0.transpose(1, 2), noise.transpose(1, 2), timesteps),)

    monkeypatch.setattr(generator.part("transformer"), "forward", exact)
    z_t = torch.lerp(z_0, noise, sigma.view(-1, 1, 1, 1, 1))
    velocity = generator.velocity(z_t, sigma, pi)
    torch.testing.assert_close(velocity, noise - z_0, atol=1e-4, rtol=1e-4)


def test_noise_levels_between_timesteps_and_beyond_them(generator: CogVideoXGenerator) -> None:
    levels = generator._levels
    assert levels[-1] == 1
    between = torch.stack([levels[10], (levels[10] + levels[11]) / 2, levels[0] / 2, levels[-1]])
    expected = torch.tensor([10, 10.5, 0, 999])
    torch.testing.assert_close(generator._timestep(between), expected, atol=1e-3, rtol=0)


def test_a_scheduler_that_adds_noise_gives_way(
    generator: CogVideoXGenerator, size: dict[str, int], tmp_path: Path
) -> None:
    """Else a clip would depend on what was drawn before it."""
    assert dict(generator.networks())
    pipeline = generator.pipeline
    dpm = CogVideoXDPMScheduler.from_config(pipeline.scheduler.config)
    type(pipeline)(**{**pipeline.components, "scheduler": dpm}).save_pretrained(tmp_path)
    other, pi = CogVideoXGenerator(str(tmp_path), **size), generator.encode_text(["a red circle"])
    assert torch.equal(other.sample(pi, [1], 3, 2.0), generator.sample(pi, [1], 3, 2.0))


def test_learnt_places_of_an_older_model(tiny: Callable[..., Path], size: dict[str, int]) -> None:
    """Without rotary embeddings, as the smallest published model is."""
    generator = CogVideoXGenerator(str(tiny(rotary=False)), **size)
    pi, z_t = generator.encode_text(["a red circle"]), generator.noise([0])
    with torch.no_grad():
        stepped = z_t - generator.velocity(z_t, torch.ones(1), pi)
    torch.testing.assert_close(stepped, generator.sample(pi, [0], 1, 1.0), atol=1e-4, rtol=1e-3)


def test_models_and_lengths_that_do_not_fit_are_refused(
    folder: Path, tiny: Callable[..., Path], size: dict[str, int]
) -> None:
    with pytest.raises(UserError, match=r"expected max_tokens = 16, .* got 8"):
        CogVideoXGenerator(str(folder), **{**size, "max_tokens": 8})
    with pytest.raises(UserError, match="expected a model of v_prediction, got epsilon"):
        CogVideoXGenerator(str(tiny(prediction="epsilon")), **size)
    # 9 frames are 3 of the latent
    with pytest.raises(UserError, match="divisible by 2, got 9; 13 works"):
        CogVideoXGenerator(str(tiny(patch_size_t=2)), **size)
