"""A scheduler that adds noise at every step: each clip's own, and the same along its slider."""

from __future__ import annotations

import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler, UniPCMultistepScheduler

from transporter.generators.condition import Condition
from transporter.generators.diffusers_generator import DiffusersGenerator
from transporter.generators.modulation import Modulation
from transporter.generators.self_test import generator_checks
from transporter.generators.stochastic import seeded_steps
from transporter.support.self_test import findings

SAMPLING = {"steps": 3, "guidance": 2.0}


@pytest.fixture(scope="module")
def name() -> str:
    return "wan"


@pytest.fixture(scope="module")
def stochastic(generator: DiffusersGenerator) -> DiffusersGenerator:
    generator.pipeline.scheduler = FlowMatchEulerDiscreteScheduler(
        stochastic_sampling=True, shift_terminal=0.08
    )
    return generator


def test_a_seed_is_a_clip_whatever_runs_beside_it(
    stochastic: DiffusersGenerator, pi: Condition
) -> None:
    together = stochastic.sample(pi, [5, 6], **SAMPLING)
    alone = stochastic.sample(pi[1:], [6], **SAMPLING)
    torch.testing.assert_close(together[1:], alone)
    assert not torch.equal(together[0], together[1])


def test_its_self_test_passes(stochastic: DiffusersGenerator) -> None:
    found = list(findings(generator_checks(stochastic)))
    assert [one.words for one in found if not one.passed] == []


def test_one_step_is_a_clip_too(stochastic: DiffusersGenerator, pi: Condition) -> None:
    """From level 1 straight to 0, without noise."""
    z = stochastic.sample(pi, [5, 6], steps=1, guidance=1.0)
    noise, sigma = stochastic.noise([5, 6]), torch.ones(2)
    expected = noise - stochastic.velocity(noise, sigma, pi)
    torch.testing.assert_close(z, expected, rtol=1e-3, atol=1e-3)
    assert stochastic.sigmas(1) == [1, 0]
    assert stochastic.sigmas(2) == pytest.approx([1, 0.08, 0])
    assert stochastic.pipeline.scheduler.config.shift_terminal == 0.08


def test_torch_randomness_is_neither_used_nor_moved(
    stochastic: DiffusersGenerator, pi: Condition
) -> None:
    clips = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        clips.append(stochastic.sample(pi, [5, 6], **SAMPLING))
        drawn = torch.rand(3)
        torch.manual_seed(seed)
        assert torch.equal(drawn, torch.rand(3))
    assert torch.equal(*clips)


@pytest.mark.parametrize("steps", [(0.0, 1.0), (0.4, 1.0)])
def test_clips_of_one_slider_differ_by_phi_alone(
    steps: tuple[float, float], stochastic: DiffusersGenerator, pi: Condition
) -> None:
    """Two strengths of zero are the plain clip, twice; also where the batch grows on the way."""
    delta = Condition(torch.zeros(4, *pi.embeddings.shape[1:]))
    swept = stochastic.sample(pi, [5, 6], **SAMPLING, modulation=Modulation(delta, steps=steps))
    plain = stochastic.sample(pi, [5, 6], **SAMPLING)
    torch.testing.assert_close(swept, plain.repeat_interleave(2, dim=0))


@pytest.mark.parametrize("seed", [7, -1, 2**63])
def test_every_step_adds_the_noise_that_its_seed_says(seed: int) -> None:
    """One step of the scheduler, by its formula: (1 - sigma') z_0 + sigma' noise."""
    scheduler = FlowMatchEulerDiscreteScheduler(stochastic_sampling=True)
    scheduler.set_timesteps(4)
    drawn = torch.randn(2, 2, 4, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    latents, velocity = drawn
    with seeded_steps(scheduler, [seed]):
        after = scheduler.step(velocity, scheduler.timesteps[0], latents, return_dict=False)[0]
    sigma, following = scheduler.sigmas[:2]
    noise = (after - (1 - following) * (latents - sigma * velocity)) / following
    torch.testing.assert_close(noise[0], noise[1], rtol=1e-4, atol=1e-4)
    assert 0.7 < noise[0].std() < 1.4


def test_two_steps_of_a_seed_and_neighbouring_seeds_add_other_noise() -> None:
    scheduler = FlowMatchEulerDiscreteScheduler(stochastic_sampling=True)
    scheduler.set_timesteps(4)
    nothing = torch.zeros(2, 64, 1, 1, 1)
    with seeded_steps(scheduler, [7, 8]):
        for timestep in scheduler.timesteps[:2]:
            noise = scheduler.step(nothing, timestep, nothing, return_dict=False)[0]
            assert torch.corrcoef(noise.flatten(1))[0, 1].abs() < 0.5
        first = scheduler.step(nothing, scheduler.timesteps[2], nothing, return_dict=False)[0]
    assert torch.corrcoef(torch.stack([noise[0].flatten(), first[0].flatten()]))[0, 1].abs() < 0.5


def test_a_scheduler_is_itself_again_afterwards_and_others_always() -> None:
    adding = FlowMatchEulerDiscreteScheduler(stochastic_sampling=True)
    with pytest.raises(KeyboardInterrupt), seeded_steps(adding, [1]):
        assert "step" in vars(adding)
        raise KeyboardInterrupt
    assert "step" not in vars(adding)
    for plain in (FlowMatchEulerDiscreteScheduler(), UniPCMultistepScheduler()):
        with seeded_steps(plain, [1]):
            assert "step" not in vars(plain)
