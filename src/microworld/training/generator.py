"""The microworld's generator: text encoder and diffusion transformer, trained together by
conditional flow matching.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from diffusers import (
    AutoencoderKLWan,
    FlowMatchEulerDiscreteScheduler,
    WanPipeline,
    WanTransformer3DModel,
)
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import BatchEncoding, UMT5Config, UMT5EncoderModel

from microworld.attributes import Attributes, draw_attributes
from microworld.clips import Clips
from microworld.language import build_tokenizer, caption, vocabulary
from microworld.renderer import draw_layout
from microworld.training.precision import half_precision
from microworld.training.vae import TrainedVAE
from transporter.networks.frozen import kernels_to
from transporter.networks.pretrained import load_network
from transporter.support.checkpoint import fingerprint
from transporter.support.files import written_whole
from transporter.support.hashes import digest
from transporter.training.loop import Losses, own_randomness, train
from transporter.training.optimiser import muon_adamw
from transporter.training.schedule import Schedule, Summary

MAX_TOKENS = 16
WIDTH = 96
"""Width of the text encoder's states."""
CHUNK = 500
"""Clips per file of encoded training data."""
HARD = 0.4
"""Share of the training clips that are made to spin or to bounce, every second one a square: these
are learnt last.
"""
NOISE_LOGIT = 1.0
"""Mean logit of half of the noise levels: shapes are lost where sampling begins, not at its end."""
SHIFT, LAST_LEVEL = 2.0, 0.08
"""Of the noise levels in sampling: how far they lean to the high ones, and the last."""
DROP_CAPTION = 0.1
"""Share of captions replaced by the empty one, for classifier-free guidance."""


def build_text_encoder() -> UMT5EncoderModel:
    heads = 4
    config = UMT5Config(
        vocab_size=len(vocabulary()),
        d_model=WIDTH,
        d_kv=WIDTH // heads,
        d_ff=256,
        num_layers=2,
        num_heads=heads,
        dropout_rate=0.0,
        pad_token_id=0,
        eos_token_id=1,
        relative_attention_num_buckets=16,
        relative_attention_max_distance=32,
    )
    return UMT5EncoderModel(config)


def build_transformer(
    channels: int = 16, heads: int = 4, head_width: int = 48, layers: int = 6
) -> WanTransformer3DModel:
    return WanTransformer3DModel(
        patch_size=(1, 2, 2),
        num_attention_heads=heads,
        attention_head_dim=head_width,
        in_channels=channels,
        out_channels=channels,
        text_dim=WIDTH,
        freq_dim=128,
        ffn_dim=4 * heads * head_width,
        num_layers=layers,
        cross_attn_norm=True,
        rope_max_seq_len=32,
    )


class TextToVelocity(nn.Module):
    """Token ids to velocity, with the padding that `WanPipeline` uses: zeros that are
    attended to.
    """

    def __init__(self) -> None:
        super().__init__()
        self.text_encoder, self.transformer = build_text_encoder(), build_transformer()

    def forward(
        self, z_t: torch.Tensor, sigma: torch.Tensor, ids: torch.Tensor, mask: torch.Tensor
    ) -> torch.Tensor:
        states = self.text_encoder(ids, attention_mask=mask).last_hidden_state * mask[..., None]
        return self.transformer(z_t, sigma * 1000, states, return_dict=False)[0]


def _made_hard(attributes: Attributes, index: int) -> Attributes:
    """Spins and bounces in turn, every second time of a square; as it was if that combination is
    held out.
    """
    hard = replace(attributes, motion=("spins", "bounces")[index // 2 % 2])
    hard = replace(hard, shape="square") if index % 2 else hard
    return attributes if hard.held_out else hard


def draw_clips(count: int, rng: np.random.Generator) -> Clips:
    """Training clips, the first `HARD` of them made hard."""
    originals = [draw_attributes(rng, held_out=False) for _ in range(count)]
    attributes = [
        _made_hard(a, index) if index < HARD * count else a for index, a in enumerate(originals)
    ]
    return Clips(attributes, [draw_layout(a, rng) for a in attributes])


def compile_where_possible(model: nn.Module) -> None:
    """Compile in place, which makes a CPU's step about a quarter shorter; without a C++ compiler on
    this machine do nothing.
    """
    if shutil.which("g++"):
        model.compile()


def _tokens(captions: Sequence[str]) -> BatchEncoding:
    tokenizer = build_tokenizer(MAX_TOKENS, append_eos=True)
    return tokenizer(captions, padding="max_length", max_length=MAX_TOKENS, return_tensors="pt")


@torch.no_grad()
def encode_world(vae: AutoencoderKLWan, folder: Path, chunk: int, seed: int) -> None:
    """Render and encode one chunk of training clips: latents and caption ids into `folder`; kept if
    it is there already.
    """
    path = folder / f"chunk-{chunk:04d}.safetensors"
    if path.exists():
        return
    rng = np.random.default_rng([seed, chunk])
    clips, z = draw_clips(CHUNK, rng), []
    for start in range(0, CHUNK, 20):
        video = clips[start : start + 20].video().to(vae.device).transpose(1, 2) * 2 - 1
        z.append(vae.encode(video).latent_dist.mode().half().cpu())
    text = _tokens([caption(a.words()) for a in clips.attributes])
    with written_whole(path) as partial:
        save_file(
            {"z": torch.cat(z).contiguous(), "ids": text.input_ids, "mask": text.attention_mask},
            partial,
        )


class Batch(NamedTuple):
    """Whitened latents `(B, c, t, h, w)`, token ids and mask `(B, L)`."""

    z_0: torch.Tensor
    ids: torch.Tensor
    mask: torch.Tensor


def _join(parts: Sequence[Mapping[str, torch.Tensor]], name: str) -> torch.Tensor:
    return torch.cat([part[name] for part in parts])


class World:
    """Latents and captions of the encoded training clips; `mean` and `std` `(1, c, 1, 1, 1)` whiten
    a latent by channel.
    """

    def __init__(self, folder: Path, chunks: int) -> None:
        parts = [load_file(folder / f"chunk-{chunk:04d}.safetensors") for chunk in range(chunks)]
        self.z, self.ids, self.mask = (_join(parts, name) for name in ("z", "ids", "mask"))
        z = self.z.float()
        self.mean, self.std = (
            statistic(dim=(0, 2, 3, 4), keepdim=True) for statistic in (z.mean, z.std)
        )
        self.empty = _tokens([""])

    def draw(self, size: int, generator: torch.Generator) -> Batch:
        """Clips drawn with replacement; some captions are replaced by the empty one."""
        rows = torch.randint(len(self.z), (size,), generator=generator)
        dropped = torch.rand(size, 1, generator=generator) < DROP_CAPTION
        ids = torch.where(dropped, self.empty.input_ids, self.ids[rows])
        mask = torch.where(dropped, self.empty.attention_mask, self.mask[rows])
        return Batch((self.z[rows].float() - self.mean) / self.std, ids, mask)


def draw_sigma(size: int, generator: torch.Generator) -> torch.Tensor:
    """Noise levels `(size,)` in (0, 1): half uniform, half logit-normal about `NOISE_LOGIT`."""
    uniform = torch.rand(size, generator=generator)
    skewed = (torch.randn(size, generator=generator) + NOISE_LOGIT).sigmoid()
    return torch.where(torch.rand(size, generator=generator) < 0.5, uniform, skewed)


def flow_matching_loss(
    model: nn.Module,
    z_0: torch.Tensor,
    ids: torch.Tensor,
    mask: torch.Tensor,
    sigma: torch.Tensor,
    noise: torch.Tensor,
) -> torch.Tensor:
    """Squared error of the velocity `noise - z_0` at `z_t = (1 - sigma) z_0 + sigma noise` (Lipman
    et al. 2023), per clip: `(B,)`.

    Shapes: latents `(B, c, t, h, w)`, ids and mask `(B, L)`, sigma `(B,)`.
    """
    z_t = z_0.lerp(noise, sigma.view(-1, 1, 1, 1, 1))
    with half_precision(z_t.device):
        velocity = model(z_t, sigma, ids, mask)
    return (velocity.float() - (noise - z_0)).square().flatten(1).mean(1)


def train_generator(
    folder: Path, schedule: Schedule, vae_folder: Path, chunks: int = 44, batch: int = 32
) -> tuple[WanPipeline, Summary]:
    """Train text encoder and transformer on latents of a trained VAE; resumable in `folder`.
    Returns the whole pipeline.
    """
    world = _encoded_world(folder, schedule, vae_folder, chunks)
    with own_randomness(schedule.device):
        torch.manual_seed(schedule.seed)
        model = TextToVelocity().to(schedule.device)
    compile_where_possible(model.transformer)

    def loss(step: int, generator: torch.Generator) -> Losses:
        z_0, ids, mask = world.draw(batch, generator)
        sigma, noise = draw_sigma(batch, generator), torch.randn(z_0.shape, generator=generator)
        inputs = (x.to(schedule.device) for x in (z_0, ids, mask, sigma, noise))
        return {"loss": flow_matching_loss(model, *inputs).mean()}

    optimisers = muon_adamw(model.named_parameters(), muon_lr=0.01, adam_lr=1e-3, weight_decay=0.01)
    identity = [batch, fingerprint(world.z, world.ids)]
    trained, summary = train(model, optimisers, loss, schedule, folder, identity)
    return _pipeline(trained, vae_folder, world), summary


def _encoded_world(folder: Path, schedule: Schedule, vae_folder: Path, chunks: int) -> World:
    """Training clips as the VAE encodes them, those of an interrupted run among them."""
    vae = TrainedVAE(vae_folder, schedule.device)
    kernels_to(vae.model, torch.channels_last_3d)
    # clips of another VAE or seed lie elsewhere
    encoded = folder / f"world-{digest(vae.identity, schedule.seed)}"
    for chunk in range(chunks):
        encode_world(vae.model, encoded, chunk, schedule.seed)
    return World(encoded, chunks)


def _pipeline(trained: TextToVelocity, vae_folder: Path, world: World) -> WanPipeline:
    """The trained parts with the VAE as it was saved: off the device, in the usual memory
    layout.
    """
    vae = load_network(AutoencoderKLWan, vae_folder, "a video VAE")
    vae.register_to_config(
        latents_mean=world.mean.flatten().tolist(), latents_std=world.std.flatten().tolist()
    )
    return WanPipeline(
        tokenizer=build_tokenizer(MAX_TOKENS, append_eos=True),
        text_encoder=trained.text_encoder.eval(),
        vae=vae,
        scheduler=build_scheduler(),
        transformer=trained.transformer.eval(),
    )


def build_scheduler() -> FlowMatchEulerDiscreteScheduler:
    """Noise of its own at every step mends what earlier steps have got wrong, which a path without
    noise carries to its end.
    """
    return FlowMatchEulerDiscreteScheduler(
        shift=SHIFT, shift_terminal=LAST_LEVEL, stochastic_sampling=True
    )
