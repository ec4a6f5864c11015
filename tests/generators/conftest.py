"""A tiny untrained pipeline of each family, in a folder as `from_pretrained` loads it, and its
adapter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import (
    AutoencoderKLCogVideoX,
    AutoencoderKLHunyuanVideo,
    AutoencoderKLWan,
    CogVideoXDDIMScheduler,
    CogVideoXPipeline,
    CogVideoXTransformer3DModel,
    DiffusionPipeline,
    FlowMatchEulerDiscreteScheduler,
    HunyuanVideoPipeline,
    HunyuanVideoTransformer3DModel,
    UniPCMultistepScheduler,
    WanPipeline,
    WanTransformer3DModel,
)
from diffusers.pipelines.hunyuan_video.pipeline_hunyuan_video import DEFAULT_PROMPT_TEMPLATE
from tokenizers import normalizers
from torch import nn
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    LlamaConfig,
    LlamaModel,
    PreTrainedTokenizerFast,
    T5Config,
    T5EncoderModel,
)

from microworld.language import build_tokenizer, vocabulary
from microworld.training.generator import build_text_encoder, build_transformer
from microworld.training.vae import build_vae
from transporter.generators.condition import Condition
from transporter.generators.diffusers_generator import DiffusersGenerator
from transporter.pipeline.loading import load_generator

TOKENS = 16
SIZE = {"frames": 9, "height": 32, "width": 32, "fps": 8, "max_tokens": TOKENS}
CAPTIONS = [
    "a large red circle moves slowly left on grass",
    "a square spins quickly on sand during the night",
]


def wan() -> WanPipeline:
    vae = build_vae()
    vae.register_to_config(latents_mean=[0.5] * 16, latents_std=[2.0] * 16)
    return WanPipeline(
        tokenizer=build_tokenizer(TOKENS, append_eos=True),
        text_encoder=build_text_encoder(),
        vae=vae,
        scheduler=UniPCMultistepScheduler(
            prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=1.0
        ),
        transformer=build_transformer(layers=2),
    )


def cogvideox(
    rotary: bool = True, prediction: str = "v_prediction", patch_size_t: int | None = None
) -> CogVideoXPipeline:
    return CogVideoXPipeline(
        tokenizer=build_tokenizer(TOKENS, append_eos=True),
        text_encoder=T5EncoderModel(
            T5Config(
                vocab_size=len(vocabulary()),
                d_model=32,
                d_kv=8,
                d_ff=48,
                num_layers=2,
                num_heads=4,
                pad_token_id=0,
            )
        ),
        vae=AutoencoderKLCogVideoX(
            block_out_channels=(8, 8, 8, 8),
            latent_channels=4,
            layers_per_block=1,
            norm_num_groups=2,
            temporal_compression_ratio=4,
            scaling_factor=0.7,
        ),
        transformer=CogVideoXTransformer3DModel(
            num_attention_heads=2,
            attention_head_dim=16,
            in_channels=4,
            out_channels=4,
            time_embed_dim=16,
            text_embed_dim=32,
            num_layers=2,
            sample_width=4,
            sample_height=4,
            sample_frames=9,
            max_text_seq_length=TOKENS,
            patch_size_t=patch_size_t,
            use_rotary_positional_embeddings=rotary,
        ),
        # as published
        scheduler=CogVideoXDDIMScheduler(
            prediction_type=prediction,
            rescale_betas_zero_snr=True,
            timestep_spacing="trailing",
            snr_shift_scale=3.0,
        ),
    )


def templated() -> PreTrainedTokenizerFast:
    """The microworld's words; what the family's template says before the caption is as many unknown
    words as are cut off.
    """
    words = build_tokenizer(512, append_eos=False)
    before, after = DEFAULT_PROMPT_TEMPLATE["template"].split("{}")
    words.backend_tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.Replace(before, "? " * DEFAULT_PROMPT_TEMPLATE["crop_start"]),
            normalizers.Replace(after, " </s>"),
        ]
    )
    return words


def hunyuan_video(guidance_embeds: bool = True) -> HunyuanVideoPipeline:
    text = {"vocab_size": len(vocabulary()), "hidden_size": 32, "intermediate_size": 48}
    layers = {"num_hidden_layers": 3, "num_attention_heads": 2, "pad_token_id": 0}
    stages = 4
    return HunyuanVideoPipeline(
        tokenizer=templated(),
        text_encoder=LlamaModel(LlamaConfig(**text, **layers)),
        tokenizer_2=build_tokenizer(77, append_eos=True),
        text_encoder_2=CLIPTextModel(CLIPTextConfig(**text, **layers, eos_token_id=1)),
        vae=AutoencoderKLHunyuanVideo(
            latent_channels=4,
            block_out_channels=(8,) * stages,
            down_block_types=("HunyuanVideoDownBlock3D",) * stages,
            up_block_types=("HunyuanVideoUpBlock3D",) * stages,
            layers_per_block=1,
            norm_num_groups=4,
        ),
        transformer=HunyuanVideoTransformer3DModel(
            in_channels=4,
            out_channels=4,
            num_attention_heads=2,
            attention_head_dim=16,
            num_layers=2,
            num_single_layers=1,
            num_refiner_layers=1,
            text_embed_dim=32,
            pooled_projection_dim=32,
            rope_axes_dim=(4, 6, 6),
            guidance_embeds=guidance_embeds,
        ),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=7.0),
    )


def flow_levels(pipeline: DiffusionPipeline, steps: int) -> list[float]:
    """sigma at each sampling step, and 0 after the last."""
    return pipeline.scheduler.sigmas.tolist()


def diffusion_levels(pipeline: DiffusionPipeline, steps: int) -> list[float]:
    """The noise level of each timestep as flow matching counts it: noise to signal, as shares of
    one.
    """
    alpha_squared = pipeline.scheduler.alphas_cumprod[pipeline.scheduler.timesteps].double()
    signal, noise = alpha_squared.sqrt(), (1 - alpha_squared).sqrt()
    return [*(noise / (noise + signal)).tolist(), 0.0]


@dataclass(frozen=True)
class Family:
    """How a family is built, and what its tests need to know of it."""

    build: Callable[[], DiffusionPipeline]
    latent: tuple[int, int, int, int]
    levels: Callable[[DiffusionPipeline, int], list[float]] = flow_levels
    plain: Mapping[str, Any] = field(default_factory=lambda: {"negative_prompt": ""})
    """What the pipeline's own call is told besides, to do the same."""
    blocks: int = 2


FAMILIES = {
    "wan": Family(wan, (16, 3, 4, 4)),
    "cogvideox": Family(cogvideox, (4, 3, 4, 4), diffusion_levels),
    "hunyuan_video": Family(hunyuan_video, (4, 3, 4, 4), plain={}, blocks=3),
}


@torch.no_grad()
def shake(network: nn.Module) -> None:
    """Weights large enough for the caption to matter."""
    for weight in network.parameters():
        if weight.ndim > 1:
            weight.normal_(0, 1.5 * weight[0].numel() ** -0.5)


@pytest.fixture(scope="module")
def families() -> dict[str, Family]:
    return FAMILIES


@pytest.fixture(scope="module", params=FAMILIES)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def family(name: str) -> Family:
    return FAMILIES[name]


@pytest.fixture(scope="module")
def folder(family: Family, tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("generator")
    pipeline = family.build()
    shake(pipeline.transformer)
    pipeline.save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def wan_ti2v(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As Wan 2.2 TI2V-5B: a timestep per token, and a VAE of 48 channels that shrinks sides by
    16.
    """
    torch.manual_seed(0)
    config = {**build_transformer(layers=2).config, "in_channels": 48, "out_channels": 48}
    pipeline = wan()
    pipeline.register_modules(
        transformer=WanTransformer3DModel.from_config(config),
        vae=AutoencoderKLWan(
            base_dim=8,
            decoder_base_dim=8,
            z_dim=48,
            num_res_blocks=1,
            in_channels=12,
            out_channels=12,
            patch_size=2,
            is_residual=True,
            scale_factor_spatial=16,
            latents_mean=[0.1] * 48,
            latents_std=[1.5] * 48,
        ),
    )
    pipeline.register_to_config(expand_timesteps=True)
    shake(pipeline.transformer)
    path = tmp_path_factory.mktemp("wan_ti2v")
    pipeline.save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def size() -> dict[str, int]:
    return SIZE


@pytest.fixture
def tiny(family: Family, tmp_path: Path) -> Callable[..., Path]:
    """The folder of a variant of the family."""

    def save(**variant: Any) -> Path:
        torch.manual_seed(0)
        folder = tmp_path / "-".join(map(str, variant.values()))
        family.build(**variant).save_pretrained(folder)
        return folder

    return save


@pytest.fixture(scope="module")
def generator(name: str, folder: Path) -> DiffusersGenerator:
    settings = {"adapter": name, "path": str(folder), "dtype": "float32", "options": None, **SIZE}
    return load_generator(settings, torch.device("cpu"))


@pytest.fixture(scope="module")
def captions() -> list[str]:
    return CAPTIONS


@pytest.fixture(scope="module")
def pi(generator: DiffusersGenerator) -> Condition:
    return generator.encode_text(CAPTIONS)
