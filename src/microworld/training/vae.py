"""The microworld's video VAE: `AutoencoderKLWan` with 16 channels at an eighth of the size and a
quarter of the frames.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKLWan
from diffusers.models.autoencoders.autoencoder_kl_wan import unpatchify
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from diffusers.utils import SAFETENSORS_WEIGHTS_NAME

from microworld.clips import Clips, random_state
from microworld.training.precision import half_precision
from transporter.networks.frozen import kernels_to
from transporter.networks.pretrained import load_network
from transporter.support.hashes import file_hash
from transporter.training.loop import Losses, own_randomness, train
from transporter.training.optimiser import muon_adamw
from transporter.training.schedule import Schedule, Summary

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
    with own_randomness(schedule.device):
        torch.manual_seed(schedule.seed)
        vae = build_vae().to(schedule.device)
    kernels_to(vae, torch.channels_last_3d)
    both, alone = _parts(schedule)
    first = _fit(vae, reconstruction_loss, both, folder, batch)
    for module in (vae.encoder, vae.quant_conv):
        module.requires_grad_(False)
    last = _fit(vae, squared_error, alone, folder / "decoder", batch)
    kernels_to(vae, torch.contiguous_format)
    return vae, replace(first.and_then(last), steps=schedule.steps)


def _parts(schedule: Schedule) -> tuple[Schedule, Schedule]:
    """The training of the whole VAE, and that of its decoder alone."""
    alone = replace(
        schedule,
        steps=round(DECODER_SHARE * schedule.steps),
        seed=schedule.seed + 1,
        rate=replace(schedule.rate, decay_from=0.0),
    )
    return replace(schedule, steps=schedule.steps - alone.steps), alone


def _fit(
    vae: AutoencoderKLWan, error: Error, schedule: Schedule, folder: Path, batch: int
) -> Summary:
    def loss(step: int, generator: torch.Generator) -> Losses:
        rendered = Clips.draw(batch, random_state(generator)).render()
        video, mask = (x.to(schedule.device) for x in rendered)
        video = (video.transpose(1, 2) * 2 - 1).contiguous(memory_format=torch.channels_last_3d)
        return loss_terms(vae, video, mask, generator, error)

    optimisers = muon_adamw(vae.named_parameters(), muon_lr=0.02, adam_lr=2e-3)
    return train(vae, optimisers, loss, schedule, folder, [error.__name__, batch])[1]


@torch.no_grad()
def through_vae(vae: AutoencoderKLWan, video: torch.Tensor) -> torch.Tensor:
    """Encode and decode; `(B, T, C, H, W)` in [0, 1], given back on the device that it came
    from.
    """
    z = vae.encode(video.to(vae.device).transpose(1, 2) * 2 - 1).latent_dist.mode()
    return (vae.decode(z).sample.transpose(1, 2) / 2 + 0.5).clamp(0, 1).to(video.device)


class TrainedVAE:
    """The VAE in `folder`, for trainings that see clips through it; it is loaded when first asked.

    Args:
        folder: as `AutoencoderKLWan.from_pretrained` reads it.
        device: where it computes.
    """

    def __init__(self, folder: Path, device: torch.device | str) -> None:
        self.folder, self.device = folder, device

    @cached_property
    def model(self) -> AutoencoderKLWan:
        return load_network(AutoencoderKLWan, self.folder, "a video VAE").to(self.device).eval()

    @property
    def identity(self) -> str:
        """Hash of its weights: a training does not go on with another one."""
        return file_hash(self.folder / SAFETENSORS_WEIGHTS_NAME)

    def reconstruct(self, clips: Clips) -> torch.Tensor:
        """The clips as it gives them back: `(B, T, 3, H, W)` in [0, 1], on the CPU."""
        return through_vae(self.model, clips.video())
