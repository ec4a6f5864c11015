"""The microworld's generator: text encoder and diffusion transformer, trained together by conditional flow matching."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKLWan, UniPCMultistepScheduler, WanPipeline, WanTransformer3DModel
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import UMT5Config, UMT5EncoderModel

from transporter.files import written_whole
from transporter.microworld.attributes import draw_attributes
from transporter.microworld.language import build_tokenizer, caption, vocabulary
from transporter.microworld.renderer import draw_layout
from transporter.microworld.training.clips import Clips
from transporter.microworld.training.loop import Schedule, Summary, fit
from transporter.microworld.training.optimiser import MuonAdamW
from transporter.microworld.training.precision import half_precision

MAX_TOKENS = 16
WIDTH = 96
"""Width of the text encoder's states."""
CHUNK = 500
"""Clips per file of encoded training data."""
SPUN = 0.25
"""Share of the training clips that are made to spin whatever their motion was drawn as: edges that turn are learnt last."""
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


def build_transformer(channels: int = 16, heads: int = 4, head_width: int = 48, layers: int = 6) -> WanTransformer3DModel:
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
    """Token ids to velocity, with the padding that `WanPipeline` uses: zeros that are attended to."""

    def __init__(self) -> None:
        super().__init__()
        self.text_encoder, self.transformer = build_text_encoder(), build_transformer()

    def forward(self, z_t: torch.Tensor, sigma: torch.Tensor, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        states = self.text_encoder(ids, attention_mask=mask).last_hidden_state * mask[..., None]
        return self.transformer(z_t, sigma * 1000, states, return_dict=False)[0]


def draw_clips(count: int, rng: np.random.Generator) -> Clips:
    """Training clips, `SPUN` of them made to spin if that combination is not held out."""
    drawn = [draw_attributes(rng, held_out=False) for _ in range(count)]
    spun = [replace(a, motion="spins") for a in drawn[: round(SPUN * count)]]
    attributes = [a if s.held_out else s for a, s in zip(drawn, spun, strict=False)] + drawn[len(spun) :]
    return Clips(attributes, [draw_layout(a, rng) for a in attributes])


def compile_where_possible(model: nn.Module) -> None:
    """Compile in place, which makes a CPU's step about a quarter shorter; without a C++ compiler on this machine do nothing."""
    if shutil.which("g++"):
        model.compile()


@torch.no_grad()
def encode_world(vae: AutoencoderKLWan, folder: Path, chunk: int, seed: int) -> None:
    """Render and encode one chunk of training clips: latents and caption ids into `folder`; kept if it is there already."""
    path = folder / f"chunk-{chunk:04d}.safetensors"
    if path.exists():
        return
    rng = np.random.default_rng([seed, chunk])
    clips, z = draw_clips(CHUNK, rng), []
    for start in range(0, CHUNK, 20):
        video = clips[start : start + 20].video().to(vae.device).transpose(1, 2) * 2 - 1
        z.append(vae.encode(video).latent_dist.mode().half().cpu())
    text = build_tokenizer(MAX_TOKENS, append_eos=True)(
        [caption(a.words()) for a in clips.attributes], padding="max_length", max_length=MAX_TOKENS, return_tensors="pt"
    )
    with written_whole(path) as partial:
        save_file({"z": torch.cat(z), "ids": text.input_ids, "mask": text.attention_mask}, partial)


def load_world(folder: Path, chunks: int) -> dict[str, torch.Tensor]:
    """All encoded training clips: `z` `(n, c, t, h, w)`, `ids` and `mask` `(n, L)`."""
    parts = [load_file(folder / f"chunk-{chunk:04d}.safetensors") for chunk in range(chunks)]
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


def with_latent_statistics(vae: AutoencoderKLWan, z: torch.Tensor) -> AutoencoderKLWan:
    """Store the per-channel mean and deviation of latents `(n, c, t, h, w)` in the VAE's configuration."""
    z = z.float()
    vae.register_to_config(latents_mean=z.mean((0, 2, 3, 4)).tolist(), latents_std=z.std((0, 2, 3, 4)).tolist())
    return vae


def draw_sigma(size: int, generator: torch.Generator) -> torch.Tensor:
    """Noise levels, half uniform, half logit-normal: `(B,)` in (0, 1)."""
    uniform = torch.rand(size, generator=generator)
    normal = torch.sigmoid(torch.randn(size, generator=generator))
    return torch.where(torch.rand(size, generator=generator) < 0.5, uniform, normal)


def train_generator(
    folder: Path, schedule: Schedule, vae_folder: Path, chunks: int = 24, batch: int = 32
) -> tuple[WanPipeline, Summary]:
    """Train text encoder and transformer on latents of a trained VAE; resumable in `folder`. Returns the whole pipeline."""
    vae = AutoencoderKLWan.from_pretrained(vae_folder).to(schedule.device).eval()
    for chunk in range(chunks):
        encode_world(vae, folder / "world", chunk, schedule.seed)
    world = load_world(folder / "world", chunks)
    vae = with_latent_statistics(vae, world["z"])
    mean, std = (torch.tensor(s).view(1, -1, 1, 1, 1) for s in (vae.config.latents_mean, vae.config.latents_std))
    tokenizer = build_tokenizer(MAX_TOKENS, append_eos=True)
    empty = tokenizer([""], padding="max_length", max_length=MAX_TOKENS, return_tensors="pt")
    torch.manual_seed(schedule.seed)
    model = TextToVelocity().to(schedule.device)
    compile_where_possible(model.transformer)
    optimiser = MuonAdamW(model.named_parameters(), muon_lr=0.01, adam_lr=1e-3, weight_decay=0.01)

    def loss(step: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
        rows = torch.randint(len(world["z"]), (batch,), generator=generator)
        z_0 = (world["z"][rows].float() - mean) / std
        dropped = torch.rand(batch, 1, generator=generator) < DROP_CAPTION
        ids = torch.where(dropped, empty.input_ids, world["ids"][rows])
        mask = torch.where(dropped, empty.attention_mask, world["mask"][rows])
        sigma = draw_sigma(batch, generator)
        noise = torch.randn(z_0.shape, generator=generator)
        z_t = z_0.lerp(noise, sigma.view(-1, 1, 1, 1, 1))
        given = (x.to(schedule.device) for x in (z_t, sigma, ids, mask))
        with half_precision(schedule.device):
            velocity = model(*given)
        return {"loss": F.mse_loss(velocity.float(), (noise - z_0).to(schedule.device))}

    trained, summary = fit(model, optimiser, loss, schedule, folder)
    pipeline = WanPipeline(
        tokenizer=tokenizer,
        text_encoder=trained.text_encoder.eval(),
        vae=vae,
        scheduler=UniPCMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=1.0),
        transformer=trained.transformer.eval(),
    )
    return pipeline, summary
