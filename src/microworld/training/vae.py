"""The microworld's video VAE: `AutoencoderKLWan` with 16 channels at an eighth of the size and a
quarter of the frames.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKLWan
from diffusers.models.autoencoders.autoencoder_kl_wan import unpatchify
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution

from microworld.training.precision import half_precision
from microworld.clips import Clips, random_state
from transporter.networks.frozen import kernels_to
from transporter.training.loop import Losses, Schedule, Summary, device_names, fit
from transporter.training.optimiser import MuonAdamW

Error = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
"""Of a reconstruction and its clip `(B, 3, T, H, W)` in [-1, 1], given the sprite's mask
`(B, 1, T, H, W)`.
"""
Z_DIM = 16
KL_WEIGHT = 5e-4
SPRITE_WEIGHT = 5.0
"""How much more a pixel of the sprite counts than one of the landscape."""
DECODER_SHARE, DECODER_SPRITE_WEIGHT = 0.25, 1.0
"""Share of the training, its end, in which the decoder learns alone at an ever lower rate, so that
latents stay what they are, and how much more the sprite counts there: less, for whole frames gain
by it what the sprite does not lose.
"""


def build_vae() -> AutoencoderKLWan:
    """An untrained VAE: video `(B, 3, 17, 64, 64)` in [-1, 1] to latent `(B, 16, 5, 8, 8)`."""
    return AutoencoderKLWan(
        base_dim=16,
        z_dim=Z_DIM,
        dim_mult=[1, 2, 2],
        num_res_blocks=1,
        is_residual=True,
        temperal_downsample=[True, True],
        patch_size=2,
        in_channels=12,
        out_channels=12,
        scale_factor_temporal=4,
        scale_factor_spatial=8,
        latents_mean=[0.0] * Z_DIM,
        latents_std=[1.0] * Z_DIM,
    )


def decode_unclamped(vae: AutoencoderKLWan, z: torch.Tensor) -> torch.Tensor:
    """`vae.decode` without its clamp, which would stop gradients at saturated pixels:
    `(B, 16, t, h, w)` to `(B, 3, T, H, W)`.
    """
    vae.clear_cache()
    hidden, frames = vae.post_quant_conv(z), []
    for index in range(z.shape[2]):
        vae._conv_idx = [0]
        first = {"first_chunk": True} if index == 0 else {}
        frames.append(
            vae.decoder(
                hidden[:, :, index : index + 1],
                feat_cache=vae._feat_map,
                feat_idx=vae._conv_idx,
                **first,
            )
        )
    vae.clear_cache()
    return unpatchify(torch.cat(frames, 2), vae.config.patch_size)


def _weights(mask: torch.Tensor, extra: float) -> torch.Tensor:
    """Weights of pixels with mean 1, those of the sprite's mask larger by `extra` times the
    others'.
    """
    weight = 1 + extra * mask
    return weight / weight.mean()


def reconstruction_loss(
    output: torch.Tensor, video: torch.Tensor, mask: torch.Tensor
) -> torch.Tensor:
    """L1, L2 and image-gradient error of `(B, 3, T, H, W)`, pixels of the sprite's mask
    `(B, 1, T, H, W)` weighted up.
    """
    weight, error = _weights(mask, SPRITE_WEIGHT), output - video
    edges = sum((error.diff(dim=axis)).abs().mean() for axis in (-1, -2))
    return (error.abs() * weight).mean() + 2 * (error.square() * weight).mean() + 0.5 * edges


def squared_error(output: torch.Tensor, video: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """L2 error alone, as PSNR counts it, the sprite's pixels weighted up less; arguments as for
    `reconstruction_loss`.
    """
    return ((output - video).square() * _weights(mask, DECODER_SPRITE_WEIGHT)).mean()


def _reconstruct(
    vae: AutoencoderKLWan, video: torch.Tensor, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Clips `(B, 3, T, H, W)` in [-1, 1] as the VAE gives them back from a drawn latent, and the KL
    term of that latent.
    """
    with half_precision(video.device):
        moments = vae._encode(video)
    posterior = DiagonalGaussianDistribution(moments.float())
    z = posterior.sample(generator)
    with half_precision(video.device):
        output = decode_unclamped(vae, z)
    return output.float(), 0.5 * (
        posterior.mean.square() + posterior.var - 1 - posterior.logvar
    ).mean()


def loss_terms(
    vae: AutoencoderKLWan,
    video: torch.Tensor,
    mask: torch.Tensor,
    generator: torch.Generator,
    error: Error = reconstruction_loss,
) -> Losses:
    """The loss of clips `(B, 3, T, H, W)` in [-1, 1] with sprite masks `(B, T, H, W)`, their KL
    term, and their PSNR in dB.
    """
    output, kl = _reconstruct(vae, video, generator)
    psnr = -10 * torch.log10(F.mse_loss(output.detach().clamp(-1, 1), video) / 4)
    return {
        "loss": error(output, video, mask[:, None]) + KL_WEIGHT * kl,
        "kl": kl.detach(),
        "psnr": psnr,
    }


def train_vae(folder: Path, schedule: Schedule, batch: int = 4) -> tuple[AutoencoderKLWan, Summary]:
    """Train a VAE, resumable in `folder`: all of it, then its decoder alone (`folder/decoder`).

    The result still needs its latent statistics.
    """
    torch.manual_seed(schedule.seed)
    vae = build_vae().to(schedule.device)
    kernels_to(vae, torch.channels_last_3d)
    alone = replace(
        schedule,
        steps=round(DECODER_SHARE * schedule.steps),
        seed=schedule.seed + 1,
        decay_from=0.0,
    )
    both = replace(schedule, steps=schedule.steps - alone.steps)

    def loss(step: int, generator: torch.Generator, error: Error) -> Losses:
        video, mask = (
            x.to(schedule.device) for x in Clips.draw(batch, random_state(generator)).render()
        )
        video = (video.transpose(1, 2) * 2 - 1).contiguous(memory_format=torch.channels_last_3d)
        return loss_terms(vae, video, mask, generator, error)

    def part(schedule: Schedule, folder: Path, error: Error) -> Summary:
        optimiser = MuonAdamW(vae.named_parameters(), muon_lr=0.02, adam_lr=2e-3)
        return fit(vae, optimiser, partial(loss, error=error), schedule, folder)[1]

    first = part(both, folder, reconstruction_loss)
    for module in (vae.encoder, vae.quant_conv):
        module.requires_grad_(False)
    last = part(alone, folder / "decoder", squared_error)
    kernels_to(vae, torch.contiguous_format)
    minutes, device = (
        round(first.minutes + last.minutes, 1),
        device_names(first.device, last.device),
    )
    summary = replace(first, steps=schedule.steps, minutes=minutes, device=device)
    return vae, summary


@torch.no_grad()
def through_vae(vae: AutoencoderKLWan, video: torch.Tensor) -> torch.Tensor:
    """Encode and decode; `(B, T, C, H, W)` in [0, 1], given back on the device that it came
    from.
    """
    z = vae.encode(video.to(vae.device).transpose(1, 2) * 2 - 1).latent_dist.mode()
    return (vae.decode(z).sample.transpose(1, 2) / 2 + 0.5).clamp(0, 1).to(video.device)
