"""What buys quality per minute in training the microworld's VAE: variants of its recipe, each given
the same processor time.

Run: python benchmarks/vae_recipe.py [seconds per variant] Prints, per variant, the steps done, and
the PSNR of held-out clips, of whole frames and of the sprite's pixels alone, in dB and as
differences to the recipe's. Time is the process's own on one thread, so that other work on the
machine counts little.
"""

from __future__ import annotations

import sys
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field
from unittest import mock

import numpy as np
import torch
from diffusers import AutoencoderKLWan
from trial import adamw_alone, train_for

from microworld.clips import ALL, Clips, random_state
from microworld.renderer import FRAMES
from microworld.training import vae as recipe
from transporter.networks.frozen import kernels_to
from transporter.training.optimiser import muon_adamw

HELD_OUT = 32
ADAMW_RATE = 2e-3
STILLS = 20
"""Single frames in a batch of the curriculum: as many latent frames as the four clips of the
recipe's batch have.
"""


@dataclass(frozen=True)
class Variant:
    """One way to train. The defaults are the recipe's; `weights` are constants of its loss to
    change.
    """

    muon: bool = True
    rate: float = 0.02
    batch: int = 4
    average: float = 0.0
    half: bool = True
    stills: float = 0.0
    """Share of the time, its first, in which single frames are learnt."""
    clamped: bool = False
    weights: dict[str, float] = field(default_factory=dict)


VARIANTS = {
    "the recipe": Variant(),
    "AdamW alone": Variant(muon=False),
    "Muon's rate halved": Variant(rate=0.01),
    "batches of 2": Variant(batch=2),
    "batches of 8": Variant(batch=8),
    "weights averaged": Variant(average=0.98),
    "single precision": Variant(half=False),
    "first half: single frames": Variant(stills=0.5),
    "decoded with the clamp": Variant(clamped=True),
    "sprite not weighted": Variant(weights={"SPRITE_WEIGHT": 0.0}),
    "KL term ten times": Variant(weights={"KL_WEIGHT": 10 * recipe.KL_WEIGHT}),
}


def changed(variant: Variant) -> ExitStack:
    """The recipe's module with what the variant changes in it."""
    stack = ExitStack()
    changes = dict(variant.weights)
    if not variant.half:
        changes["half_precision"] = lambda device: nullcontext()
    if variant.clamped:
        changes["decode_unclamped"] = lambda vae, z: vae.decode(z).sample
    for name, value in changes.items():
        stack.enter_context(mock.patch.object(recipe, name, value))
    return stack


def train(variant: Variant, seconds: float) -> tuple[AutoencoderKLWan, int]:
    """Train from scratch for `seconds` of processor time; returns the VAE and the steps."""
    torch.manual_seed(0)
    vae = recipe.build_vae()
    kernels_to(vae, torch.channels_last_3d)
    named = vae.named_parameters()
    optimisers = (
        muon_adamw(named, variant.rate, ADAMW_RATE)
        if variant.muon
        else adamw_alone(vae.parameters(), ADAMW_RATE)
    )

    def loss(step: int, share: float) -> torch.Tensor:
        random = torch.Generator().manual_seed(step)
        rng = random_state(random)
        still = share < variant.stills
        frames = rng.integers(FRAMES, size=1) if still else ALL
        video, mask = Clips.draw(STILLS if still else variant.batch, rng).render(frames)
        video = (video.transpose(1, 2) * 2 - 1).contiguous(memory_format=torch.channels_last_3d)
        return recipe.loss_terms(vae, video, mask, random)["loss"]

    return train_for(seconds, vae, optimisers, loss, variant.average)


def decibels(vae: AutoencoderKLWan, video: torch.Tensor, mask: torch.Tensor) -> tuple[float, float]:
    """PSNR of clips `(B, T, 3, H, W)` in [0, 1], whole and within sprite masks `(B, T, H, W)`; mean
    over clips.
    """
    given = torch.cat([recipe.through_vae(vae, part) for part in video.split(8)])
    error = (given - video).square().mean(2)
    whole = error.mean((1, 2, 3))
    sprite = (error * mask).sum((1, 2, 3)) / mask.sum((1, 2, 3))
    return tuple(float(-10 * x.log10().mean()) for x in (whole, sprite))


def main(seconds: float = 180.0) -> None:
    torch.set_num_threads(1)
    clips, base = Clips.draw(HELD_OUT, np.random.default_rng(1), held_out=True).render(), None
    print("variant\tsteps\tdB\tof the sprite\tdifferences", flush=True)
    for name, variant in VARIANTS.items():
        with changed(variant):
            vae, steps = train(variant, seconds)
        whole, sprite = decibels(vae.eval(), *clips)
        base = base or (whole, sprite)
        print(
            f"{name}\t{steps}\t{whole:.2f}\t{sprite:.2f}\t"
            f"{whole - base[0]:+.2f}\t{sprite - base[1]:+.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main(*map(float, sys.argv[1:]))
