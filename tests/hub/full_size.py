"""Folders with the configurations of public models at their full size, and no weights: what is
planned by them takes as much as what is published. Tokenizers and processors are those of
`checkpoints`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import checkpoints
import vlm_checkpoints
from checkpoint_files import write_json
from hub_tokenizers import bytewise
from tokenizers import Tokenizer
from transformers import (
    Phi4MultimodalFeatureExtractor,
    Phi4MultimodalImageProcessor,
    Phi4MultimodalProcessor,
    PreTrainedTokenizerFast,
)

UMT5_XXL = {
    "vocab_size": 256384,
    "d_model": 4096,
    "d_kv": 64,
    "d_ff": 10240,
    "num_layers": 24,
    "num_decoder_layers": 24,
    "num_heads": 64,
}
WAN = {"text_dim": 4096, "freq_dim": 256, "attention_head_dim": 128}
WAN_SMALL = {**WAN, "num_attention_heads": 12, "ffn_dim": 8960, "num_layers": 30}
WAN_LARGE = {**WAN, "num_attention_heads": 40, "ffn_dim": 13824, "num_layers": 40}
SIGLIP = {
    "hidden_size": 1152,
    "intermediate_size": 4304,
    "num_hidden_layers": 27,
    "num_attention_heads": 16,
}
QWEN_7B = {
    "hidden_size": 3584,
    "intermediate_size": 18944,
    "num_hidden_layers": 28,
    "num_attention_heads": 28,
    "num_key_value_heads": 4,
    "vocab_size": 152064,
}
QWEN_3B = {
    "hidden_size": 2048,
    "intermediate_size": 11008,
    "num_hidden_layers": 36,
    "num_attention_heads": 16,
    "num_key_value_heads": 2,
    "vocab_size": 151936,
    "tie_word_embeddings": True,
}
MROPE = {"rope_scaling": {"type": "mrope", "mrope_section": [16, 24, 24]}}


def _laid_over(path: Path, *changes: Mapping[str, Any]) -> None:
    """Keys of a file of JSON, those of mappings within it too."""
    content = json.loads(path.read_text(encoding="utf-8"))
    for change in changes:
        for key, value in change.items():
            inner = content.get(key)
            both = isinstance(inner, dict) and isinstance(value, dict)
            content[key] = {**inner, **value} if both else value
    write_json(path, content)


def _without_weights(folder: Path) -> None:
    for path in [*folder.rglob("*.safetensors"), *folder.rglob("*.safetensors.index.json")]:
        path.unlink()


def _wan(folder: Path, size: Mapping[str, Any], boundary: float | None = None) -> None:
    checkpoints.wan(folder, boundary)
    for path in folder.glob("transformer*/config.json"):
        _laid_over(path, size)
    _laid_over(folder / "text_encoder" / "config.json", UMT5_XXL)
    _laid_over(folder / "vae" / "config.json", {"base_dim": 96, "num_res_blocks": 2})


def wan_1_3b(folder: Path) -> None:
    """Wan-AI/Wan2.1-T2V-1.3B-Diffusers."""
    _wan(folder, WAN_SMALL)


def wan_14b(folder: Path) -> None:
    """Wan-AI/Wan2.1-T2V-14B-Diffusers."""
    _wan(folder, WAN_LARGE)


def wan_a14b(folder: Path) -> None:
    """Wan-AI/Wan2.2-T2V-A14B-Diffusers."""
    _wan(folder, WAN_LARGE, 0.875)


def qwen2_vl_7b(folder: Path) -> None:
    """Qwen/Qwen2-VL-7B-Instruct."""
    vlm_checkpoints.qwen2_vl(folder)
    vision = {"depth": 32, "embed_dim": 1280, "num_heads": 16, "hidden_size": 3584}
    _laid_over(folder / "config.json", QWEN_7B, MROPE, {"vision_config": vision})


def qwen2_5_vl_3b(folder: Path) -> None:
    """Qwen/Qwen2.5-VL-3B-Instruct."""
    vlm_checkpoints.qwen2_5_vl(folder)
    vision = {
        "depth": 32,
        "hidden_size": 1280,
        "intermediate_size": 3420,
        "num_heads": 16,
        "out_hidden_size": 2048,
        "fullatt_block_indexes": [7, 15, 23, 31],
    }
    _laid_over(folder / "config.json", QWEN_3B, MROPE, {"vision_config": vision})


def videollama3_7b(folder: Path) -> None:
    """VideoLLaMA3-7B."""
    vlm_checkpoints.video_llama3(folder)
    _laid_over(folder / "config.json", {"text_config": QWEN_7B, "vision_config": SIGLIP})


def gemma3_12b(folder: Path) -> None:
    """google/gemma-3-12b-it."""
    vlm_checkpoints.gemma3(folder)
    text = {
        "hidden_size": 3840,
        "intermediate_size": 15360,
        "num_hidden_layers": 48,
        "num_attention_heads": 16,
        "num_key_value_heads": 8,
        "head_dim": 256,
        "query_pre_attn_scalar": 256,
        "vocab_size": 262208,
    }
    _laid_over(folder / "config.json", {"text_config": text, "vision_config": SIGLIP})


def phi4_multimodal(folder: Path) -> None:
    """microsoft/Phi-4-multimodal-instruct, in the format of `transformers`."""
    special = ["<|endoftext|>", "<|image|>", "<|audio|>", "<|end|>"]
    made: Tokenizer = bytewise(special)
    words = PreTrainedTokenizerFast(
        tokenizer_object=made,
        bos_token="<|endoftext|>",
        eos_token="<|endoftext|>",
        pad_token="<|endoftext|>",
        extra_special_tokens={"image_token": "<|image|>", "audio_token": "<|audio|>"},
    )
    template = (
        "{% for message in messages %}<|user|>{{ message['content'] }}<|end|>{% endfor %}"
        "<|assistant|>"
    )
    Phi4MultimodalProcessor(
        image_processor=Phi4MultimodalImageProcessor(),
        audio_processor=Phi4MultimodalFeatureExtractor(),
        tokenizer=words,
        chat_template=template,
    ).save_pretrained(folder)
    ids = {"vision_config": {"image_token_id": words.image_token_id}}
    config = {"model_type": "phi4_multimodal", "num_attention_heads": 24, **ids}
    config["audio_config"] = {"audio_token_id": words.audio_token_id}
    write_json(folder / "config.json", config)


BUILDERS: Mapping[str, Callable[[Path], None]] = {
    "Wan-AI/Wan2.1-T2V-1.3B-Diffusers": wan_1_3b,
    "Wan-AI/Wan2.1-T2V-14B-Diffusers": wan_14b,
    "Wan-AI/Wan2.2-T2V-A14B-Diffusers": wan_a14b,
    "Qwen/Qwen2-VL-7B-Instruct": qwen2_vl_7b,
    "Qwen/Qwen2.5-VL-3B-Instruct": qwen2_5_vl_3b,
    "lkhl/VideoLLaMA3-7B-HF": videollama3_7b,
    "google/gemma-3-12b-it": gemma3_12b,
    "microsoft/Phi-4-multimodal-instruct": phi4_multimodal,
}


def build(name: str, folder: Path) -> Path:
    """The folder of a model by its name on the hub."""
    BUILDERS[name](folder)
    _without_weights(folder)
    return folder
