"""Tiny untrained checkpoints with the files, keys, names of tensors and sizes of processors that
the hub has them with; only widths, layers and vocabularies are small.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from checkpoint_files import SHARD, shaken, write_json
from diffusers import (
    AutoencoderKLWan,
    UniPCMultistepScheduler,
    WanTransformer3DModel,
)
from hub_tokenizers import umt5_tokenizer
from transformers import UMT5Config, UMT5EncoderModel
from vlm_checkpoints import gemma3, qwen2_5_vl, qwen2_vl, video_llama3


def wan(folder: Path, boundary: float | None = None) -> None:
    """Wan-AI/Wan2.1-T2V-1.3B-Diffusers, or with a boundary the two transformers of 2.2."""
    torch.manual_seed(0)
    words = umt5_tokenizer(folder / "tokenizer")
    text = UMT5EncoderModel(
        UMT5Config(
            vocab_size=words,
            d_model=32,
            d_kv=8,
            d_ff=48,
            num_layers=2,
            num_heads=4,
            feed_forward_proj="gated-gelu",
            dropout_rate=0.0,
        )
    )
    shaken(text).save_pretrained(folder / "text_encoder", max_shard_size="30KB")
    # the published VAE stays in float32
    vae = AutoencoderKLWan(base_dim=8, z_dim=16, dim_mult=[1, 2, 4, 4], num_res_blocks=1)
    vae.save_pretrained(folder / "vae")
    for name in ("transformer", "transformer_2")[: 1 if boundary is None else 2]:
        transformer = WanTransformer3DModel(
            patch_size=(1, 2, 2),
            num_attention_heads=2,
            attention_head_dim=24,
            in_channels=16,
            out_channels=16,
            text_dim=32,
            freq_dim=32,
            ffn_dim=64,
            num_layers=2,
            cross_attn_norm=True,
            qk_norm="rms_norm_across_heads",
        )
        shaken(transformer, scale=1.0).save_pretrained(folder / name, max_shard_size=SHARD)
    UniPCMultistepScheduler(
        flow_shift=3.0,
        prediction_type="flow_prediction",
        use_flow_sigmas=True,
        num_train_timesteps=1000,
    ).save_pretrained(folder / "scheduler")
    index: dict[str, Any] = {
        "_class_name": "WanPipeline",
        "_diffusers_version": "0.33.0.dev0",
        "scheduler": ["diffusers", "UniPCMultistepScheduler"],
        "text_encoder": ["transformers", "UMT5EncoderModel"],
        "tokenizer": ["transformers", "T5TokenizerFast"],
        "transformer": ["diffusers", "WanTransformer3DModel"],
        "vae": ["diffusers", "AutoencoderKLWan"],
    }
    if boundary is not None:
        index |= {
            "transformer_2": ["diffusers", "WanTransformer3DModel"],
            "boundary_ratio": boundary,
            "expand_timesteps": False,
        }
    write_json(folder / "model_index.json", index)


BUILDERS: Mapping[str, Callable[[Path], None]] = {
    "wan": wan,
    "qwen2_vl": qwen2_vl,
    "qwen2_5_vl": qwen2_5_vl,
    "video_llama3": video_llama3,
    "gemma3": gemma3,
}
