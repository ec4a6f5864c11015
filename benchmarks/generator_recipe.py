"""What buys quality per minute in training the microworld's generator: variants of its recipe, each
given the same processor time.

Run: python benchmarks/generator_recipe.py [seconds per variant] Prints, per variant, the steps
done, the flow-matching loss on held-out clips (fixed noise levels and noise), and its ratio to the
recipe's. Time is the process's own on one thread, without compiling, so that other work on the
machine counts little.
"""

from __future__ import annotations

import sys
import tempfile
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from diffusers import AutoencoderKLWan
from trial import adamw_alone, train_for

from microworld.clips import Clips
from microworld.language import caption
from microworld.training import generator as recipe
from transporter.training.optimiser import muon_adamw

CHUNKS, HELD_OUT = 8, 96
ADAMW_RATE = 1e-3
SIGMAS = (0.1, 0.3, 0.5, 0.7, 0.9)


@dataclass(frozen=True)
class Variant:
    """One way to train. The defaults are the recipe's, but for a shorter memory of the averaged
    weights, to suit a short run.
    """

    muon: bool = True
    batch: int = 32
    average: float = 0.99
    sigma: str = "recipe"
    half: bool = True
    compiled: bool = True


VARIANTS = {
    "the recipe": Variant(),
    "AdamW alone": Variant(muon=False),
    "batches of 16": Variant(batch=16),
    "batches of 64": Variant(batch=64),
    "no average of the weights": Variant(average=0.0),
    "uniform noise levels": Variant(sigma="uniform"),
    "logit-normal noise levels": Variant(sigma="logit-normal"),
    "single precision": Variant(half=False),
    "not compiled": Variant(compiled=False),
}


def draw_sigma(kind: str, size: int, random: torch.Generator) -> torch.Tensor:
    if kind == "recipe":
        return recipe.draw_sigma(size, random)
    return (
        torch.rand(size, generator=random)
        if kind == "uniform"
        else torch.randn(size, generator=random).sigmoid()
    )


@torch.no_grad()
def held_out_clips(
    vae: AutoencoderKLWan, world: recipe.World
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Clips of combinations that are held out of training: whitened latents, and their captions'
    ids and mask.
    """
    clips = Clips.draw(HELD_OUT, np.random.default_rng(1), held_out=True)
    z = torch.cat(
        [
            vae.encode(part.transpose(1, 2) * 2 - 1).latent_dist.mode()
            for part in clips.video().split(16)
        ]
    )
    text = recipe._tokens([caption(a.words()) for a in clips.attributes])
    return (z - world.mean) / world.std, text.input_ids, text.attention_mask


@torch.no_grad()
def held_out_loss(model: torch.nn.Module, clips: tuple[torch.Tensor, ...]) -> float:
    noise = torch.randn(clips[0].shape, generator=torch.Generator().manual_seed(2))
    levels = (torch.full((HELD_OUT,), sigma) for sigma in SIGMAS)
    return float(
        np.mean([recipe.flow_matching_loss(model, *clips, sigma, noise).mean() for sigma in levels])
    )


def train(variant: Variant, world: recipe.World, seconds: float) -> tuple[torch.nn.Module, int]:
    """Train from scratch for `seconds` of processor time; returns the averaged model and
    the steps.
    """
    torch.manual_seed(0)
    model = recipe.TextToVelocity()
    if variant.compiled:
        # else shapes of the variants before would count as changing ones, and be compiled for that
        torch.compiler.reset()
        model.transformer.compile()
    if variant.muon:
        optimisers = muon_adamw(
            model.named_parameters(), muon_lr=0.01, adam_lr=1e-3, weight_decay=0.01
        )
    else:
        optimisers = adamw_alone(model.parameters(), ADAMW_RATE, weight_decay=0.01)

    def loss(step: int, share: float) -> torch.Tensor:
        random = torch.Generator().manual_seed(step)
        z_0, ids, mask = world.draw(variant.batch, random)
        sigma, noise = (
            draw_sigma(variant.sigma, variant.batch, random),
            torch.randn(z_0.shape, generator=random),
        )
        return recipe.flow_matching_loss(model, z_0, ids, mask, sigma, noise).mean()

    return train_for(seconds, model, optimisers, loss, variant.average)


def main(seconds: float = 180.0) -> None:
    torch.set_num_threads(1)
    vae = AutoencoderKLWan.from_pretrained("models/vae").float().eval()
    with tempfile.TemporaryDirectory() as folder:
        for chunk in range(CHUNKS):
            recipe.encode_world(vae, Path(folder), chunk, seed=0)
        world = recipe.World(Path(folder), CHUNKS)
    clips, base = held_out_clips(vae, world), None
    print("variant\tsteps\theld-out loss\tratio")
    for name, variant in VARIANTS.items():
        with (
            nullcontext()
            if variant.half
            else mock.patch.object(recipe, "half_precision", lambda device: nullcontext())
        ):
            model, steps = train(variant, world, seconds)
        loss = held_out_loss(model, clips)
        base = base or loss
        print(f"{name}\t{steps}\t{loss:.4f}\t{loss / base:.3f}", flush=True)


if __name__ == "__main__":
    main(*map(float, sys.argv[1:]))
