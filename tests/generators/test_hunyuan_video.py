"""What only HunyuanVideo has: a scale of guidance that the model is told, and a condition of three
parts.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from transporter.generators.condition import Condition
from transporter.generators.hunyuan_video import HunyuanVideoGenerator
from transporter.generators.modulation import Modulation
from transporter.support.errors import UserError


@pytest.fixture(scope="module")
def name() -> str:
    return "hunyuan_video"


def test_the_velocity_is_told_the_guidance_it_is_set_to(
    folder: Path, generator: HunyuanVideoGenerator, pi: Condition, size: dict[str, int]
) -> None:
    guided = HunyuanVideoGenerator(str(folder), **size, velocity_guidance=5.0)
    z_t, sigma = generator.noise([0, 1]), torch.ones(2)
    with torch.no_grad():
        plain, told = (g.velocity(z_t, sigma, pi) for g in (generator, guided))
    assert (plain - told).abs().mean() > 1e-3
    for velocity, guidance in ((plain, 1.0), (told, 5.0)):
        sampled = generator.sample(pi, [0, 1], 1, guidance)
        torch.testing.assert_close(z_t - velocity, sampled, atol=1e-4, rtol=1e-3)


def test_the_condition_knows_its_padding(
    generator: HunyuanVideoGenerator, pi: Condition, captions: list[str]
) -> None:
    """A token per word and the template's end; what is padded does not count."""
    assert pi.mask.sum(1).tolist() == [len(caption.split()) + 1 for caption in captions]
    padded = pi.embeddings + 5 * (1 - pi.mask[..., None])
    z_t, sigma = generator.noise([0, 1]), torch.tensor([0.5, 0.9])
    with torch.no_grad():
        before = generator.velocity(z_t, sigma, pi)
        after = generator.velocity(z_t, sigma, Condition(padded, pi.mask, pi.pooled))
    torch.testing.assert_close(before, after, atol=1e-5, rtol=1e-4)


def test_the_pooled_part_is_modulated_too(generator: HunyuanVideoGenerator, pi: Condition) -> None:
    """The loop renews the embeddings alone, so this is what the hook is for."""
    still = torch.zeros_like(pi.embeddings)
    change = Modulation(Condition(still, pooled=10 * torch.ones_like(pi.pooled)), steps=(0.5, 1.0))
    changed = generator.sample(pi, [0, 1], 2, 1.0, change)
    assert (changed - generator.sample(pi, [0, 1], 2, 1.0)).abs().mean() > 1e-3


def test_a_model_that_is_not_told_guidance_is_refused(
    tiny: Callable[..., Path], size: dict[str, int]
) -> None:
    with pytest.raises(UserError, match="expected a model that is told a scale of guidance"):
        HunyuanVideoGenerator(str(tiny(guidance_embeds=False)), **size)
