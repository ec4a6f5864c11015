"""Tiny untrained checkpoints with the files, keys, names of tensors and sizes of processors that
the hub has them with; only widths, layers and vocabularies are small.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKLWan,
    UniPCMultistepScheduler,
    WanTransformer3DModel,
)
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from torch import nn
from transformers import AutoConfig, AutoModelForImageTextToText, UMT5Config, UMT5EncoderModel

SHARD = "200KB"
"""So small that weights come in several files, with an index, as large models do."""
CLIP_MEAN, CLIP_STD = (
    [0.48145466, 0.4578275, 0.40821073],
    [0.26862954, 0.26130258, 0.27577711],
)
HALF = [0.5, 0.5, 0.5]
SENTENCE = (
    "a an the red blue circle square dog man woman runs moves slowly quickly left right on in at"
    " grass sand snow day night during how fast does it what is yes no video describe"
)
WORDS = SENTENCE.split()
"""What tokenizers know as one piece."""


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2), encoding="utf-8")


@torch.no_grad()
def shaken(network: nn.Module, dtype: torch.dtype = torch.bfloat16, scale: float = 1.5) -> Any:
    """Weights large enough for the input to matter, in the precision that is published."""
    for weight in network.parameters():
        if weight.ndim > 1:
            weight.normal_(0, scale * weight[0].numel() ** -0.5)
    return network.to(dtype)


# tokenizers


def bytewise(special: list[str]) -> Tokenizer:
    """Pieces of bytes and common words, and special tokens behind them; words at the start of a
    text and within it are different, and rare ones fall into pieces.
    """
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {letter: index for index, letter in enumerate(letters)}
    merges = _merges(["Ġ" + word for word in WORDS], vocabulary)
    made = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens(special)
    return made


def sentencewise(special: list[str]) -> Tokenizer:
    """Pieces of words with spaces written as `▁`, special tokens first, and bytes for the rest."""
    letters = ["▁", *(chr(code) for code in range(33, 127)), "\n"]
    names = [*special, *(f"<0x{byte:02X}>" for byte in range(256)), *letters]
    vocabulary = {name: index for index, name in enumerate(names)}
    merges = _merges(["▁" + word for word in WORDS], vocabulary)
    made = Tokenizer(
        models.BPE(
            vocab=vocabulary, merges=merges, unk_token="<unk>", byte_fallback=True, fuse_unk=True
        )
    )
    made.normalizer = normalizers.Replace(" ", "▁")
    made.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    made.add_special_tokens(special)
    made.post_processor = processors.TemplateProcessing(
        single="<bos> $A", special_tokens=[("<bos>", vocabulary["<bos>"])]
    )
    return made


def _merges(words: list[str], vocabulary: dict[str, int]) -> list[tuple[str, str]]:
    """What makes words of their letters, from the left; the vocabulary grows by them."""
    merges: list[tuple[str, str]] = []
    for word in words:
        for end in range(2, len(word) + 1):
            if word[:end] not in vocabulary:
                vocabulary[word[:end]] = len(vocabulary)
                merges.append((word[: end - 1], word[end - 1]))
    return merges


def write_tokenizer(made: Tokenizer, folder: Path, **config: Any) -> None:
    """The files of a tokenizer as they are published."""
    folder.mkdir(parents=True, exist_ok=True)
    made.save(str(folder / "tokenizer.json"))
    added = {
        str(index): {"content": token.content, "special": True, "normalized": False}
        for index, token in made.get_added_tokens_decoder().items()
    }
    write_json(folder / "tokenizer_config.json", {"added_tokens_decoder": added, **config})


def umt5_tokenizer(folder: Path) -> int:
    """Pieces of words, with padding, end and unknown token where UMT5 has them."""
    letters = [chr(code) for code in range(33, 127)]
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<s>", 0.0), ("<unk>", 0.0), ("▁", -4.0)]
    pieces += [(letter, -6.0) for letter in letters]
    pieces += [(f"▁{word}", -3.0) for word in WORDS]
    made = Tokenizer(models.Unigram(pieces, unk_id=3))
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    made.decoder = decoders.Metaspace()
    made.post_processor = processors.TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", 1)]
    )
    names = {"pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>", "bos_token": "<s>"}
    write_tokenizer(
        made,
        folder,
        **names,
        tokenizer_class="T5Tokenizer",
        model_max_length=512,
        extra_ids=0,
        additional_special_tokens=[],
    )
    write_json(folder / "special_tokens_map.json", names)
    return len(pieces)


# Wan


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


# VLMs


TEXT: dict[str, Any] = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 32768,
    "rms_norm_eps": 1e-6,
    "hidden_act": "silu",
}
QWEN_SPECIAL = [
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|vision_pad|>",
    "<|image_pad|>",
    "<|video_pad|>",
]
QWEN_TEMPLATE = (
    "{% for message in messages %}{% if loop.first and message['role'] != 'system' %}<|im_start|>"
    "system\nYou are a helpful assistant.<|im_end|>\n{% endif %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}<|im_end|>\n{% else %}{% for"
    " content in message['content'] %}{% if content['type'] == 'image' %}<|vision_start|>"
    "<|image_pad|><|vision_end|>{% elif content['type'] == 'video' %}<|vision_start|><|video_pad|>"
    "<|vision_end|>{% elif 'text' in content %}{{ content['text'] }}{% endif %}{% endfor %}"
    "<|im_end|>\n{% endif %}{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% endif %}"
)


def qwen_tokenizer(folder: Path) -> dict[str, int]:
    made = bytewise(QWEN_SPECIAL)
    write_tokenizer(
        made,
        folder,
        tokenizer_class="Qwen2Tokenizer",
        add_prefix_space=False,
        bos_token=None,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        unk_token=None,
        errors="replace",
        model_max_length=32768,
    )
    write_json(folder / "vocab.json", json.loads(made.to_str())["model"]["vocab"])
    merges = json.loads(made.to_str())["model"]["merges"]
    lines = [" ".join(pair) if isinstance(pair, list) else pair for pair in merges]
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *lines]), encoding="utf-8")
    return {token: made.token_to_id(token) for token in QWEN_SPECIAL} | {
        "size": made.get_vocab_size()
    }


def qwen(folder: Path, kind: str, vision: Mapping[str, Any]) -> dict[str, Any]:
    """The files of a Qwen-VL beside its weights, and its configuration, flat as published."""
    ids = qwen_tokenizer(folder)
    write_json(folder / "chat_template.json", {"chat_template": QWEN_TEMPLATE})
    write_json(
        folder / "preprocessor_config.json",
        {
            "min_pixels": 3136,
            "max_pixels": 12845056,
            "patch_size": 14,
            "temporal_patch_size": 2,
            "merge_size": 2,
            "image_mean": CLIP_MEAN,
            "image_std": CLIP_STD,
            "image_processor_type": "Qwen2VLImageProcessor",
            "processor_class": f"{kind}Processor",
        },
    )
    write_json(
        folder / "generation_config.json",
        {
            "bos_token_id": ids["<|endoftext|>"],
            "pad_token_id": ids["<|endoftext|>"],
            "do_sample": True,
            "eos_token_id": [ids["<|im_end|>"], ids["<|endoftext|>"]],
            "repetition_penalty": 1.05,
            "temperature": 0.1,
        },
    )
    return {
        **TEXT,
        "architectures": [f"{kind}ForConditionalGeneration"],
        "attention_dropout": 0.0,
        "bos_token_id": ids["<|endoftext|>"],
        "eos_token_id": ids["<|im_end|>"],
        "vision_start_token_id": ids["<|vision_start|>"],
        "vision_end_token_id": ids["<|vision_end|>"],
        "vision_token_id": ids["<|vision_pad|>"],
        "image_token_id": ids["<|image_pad|>"],
        "video_token_id": ids["<|video_pad|>"],
        "rope_theta": 1000000.0,
        "rope_scaling": {"type": "mrope", "mrope_section": [2, 3, 3]},
        "sliding_window": 32768,
        "use_sliding_window": False,
        "tie_word_embeddings": False,
        "torch_dtype": "bfloat16",
        "vision_config": {"in_chans": 3, "patch_size": 14, "spatial_patch_size": 14, **vision},
        # rows of padding behind the tokenizer's
        "vocab_size": ids["size"] + 64,
    }


def qwen2_vl(folder: Path) -> None:
    """Qwen/Qwen2-VL-7B-Instruct."""
    vision = {
        "depth": 2,
        "embed_dim": 32,
        "mlp_ratio": 4,
        "num_heads": 4,
        "hidden_size": 64,
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
    }
    save(folder, {"model_type": "qwen2_vl", **qwen(folder, "Qwen2VL", vision)})


def qwen2_5_vl(folder: Path) -> None:
    """Qwen/Qwen2.5-VL-7B-Instruct."""
    vision = {
        "depth": 2,
        "hidden_act": "silu",
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_heads": 4,
        "out_hidden_size": 64,
        "spatial_merge_size": 2,
        "window_size": 112,
        "fullatt_block_indexes": [1],
        "tokens_per_second": 2,
        "temporal_patch_size": 2,
    }
    save(folder, {"model_type": "qwen2_5_vl", **qwen(folder, "Qwen2_5_VL", vision)})


def video_llama3(folder: Path) -> None:
    """VideoLLaMA 3 in the format of `transformers`."""
    ids = qwen_tokenizer(folder)
    template = QWEN_TEMPLATE.replace("<|vision_start|>", "").replace("<|vision_end|>", "\n")
    (folder / "chat_template.jinja").write_text(template, encoding="utf-8")
    common = {
        "do_convert_rgb": True,
        "image_mean": HALF,
        "image_std": HALF,
        "merge_size": 2,
        "patch_size": 14,
        "processor_class": "VideoLlama3Processor",
    }
    write_json(
        folder / "preprocessor_config.json",
        {**common, "image_processor_type": "VideoLlama3ImageProcessor"},
    )
    write_json(
        folder / "video_preprocessor_config.json",
        {
            **common,
            "merge_size": 2,
            "video_processor_type": "VideoLlama3VideoProcessor",
            "do_sample_frames": True,
            "fps": 1,
            "max_frames": 180,
            "use_token_compression": True,
        },
    )
    text = {**TEXT, "model_type": "qwen2", "vocab_size": ids["size"], "rope_theta": 1000000.0}
    config = {
        "architectures": ["VideoLlama3ForConditionalGeneration"],
        "model_type": "video_llama_3",
        "text_config": text | {"eos_token_id": ids["<|im_end|>"]},
        "vision_config": {
            "model_type": "video_llama_3_vision",
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "patch_size": 14,
        },
        "image_token_id": ids["<|image_pad|>"],
        "video_token_id": ids["<|video_pad|>"],
        "torch_dtype": "bfloat16",
    }
    save(folder, config)


GEMMA_SPECIAL = [
    "<pad>",
    "<eos>",
    "<bos>",
    "<unk>",
    "<start_of_turn>",
    "<end_of_turn>",
    "<start_of_image>",
    "<end_of_image>",
    "<image_soft_token>",
]
GEMMA_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}<start_of_turn>{{ 'model' if message['role'] =="
    " 'assistant' else message['role'] }}\n{% if message['content'] is string %}"
    "{{ message['content'] | trim }}{% else %}{% for item in message['content'] %}"
    "{% if item['type'] == 'image' %}<start_of_image>{% elif item['type'] == 'text' %}"
    "{{ item['text'] | trim }}{% endif %}{% endfor %}{% endif %}<end_of_turn>\n{% endfor %}"
    "{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)


def gemma3(folder: Path) -> None:
    """google/gemma-3-12b-it; an image is 896 x 896 and 256 tokens, as there."""
    made = sentencewise(GEMMA_SPECIAL)
    ids = {token: made.token_to_id(token) for token in GEMMA_SPECIAL}
    write_tokenizer(
        made,
        folder,
        tokenizer_class="GemmaTokenizer",
        bos_token="<bos>",
        eos_token="<eos>",
        pad_token="<pad>",
        unk_token="<unk>",
        boi_token="<start_of_image>",
        eoi_token="<end_of_image>",
        image_token="<image_soft_token>",
        add_bos_token=True,
        extra_special_tokens={
            "boi_token": "<start_of_image>",
            "eoi_token": "<end_of_image>",
            "image_token": "<image_soft_token>",
        },
        processor_class="Gemma3Processor",
    )
    write_json(folder / "chat_template.json", {"chat_template": GEMMA_TEMPLATE})
    write_json(
        folder / "preprocessor_config.json",
        {
            "do_convert_rgb": None,
            "do_normalize": True,
            "do_pan_and_scan": None,
            "do_rescale": True,
            "do_resize": True,
            "image_mean": HALF,
            "image_processor_type": "Gemma3ImageProcessor",
            "image_seq_length": 256,
            "image_std": HALF,
            "processor_class": "Gemma3Processor",
            "resample": 2,
            "rescale_factor": 0.00392156862745098,
            "size": {"height": 896, "width": 896},
        },
    )
    write_json(
        folder / "processor_config.json",
        {"image_seq_length": 256, "processor_class": "Gemma3Processor"},
    )
    write_json(
        folder / "generation_config.json",
        {"bos_token_id": ids["<bos>"], "eos_token_id": [ids["<eos>"], ids["<end_of_turn>"]]},
    )
    config = {
        "architectures": ["Gemma3ForConditionalGeneration"],
        "model_type": "gemma3",
        "boi_token_index": ids["<start_of_image>"],
        "eoi_token_index": ids["<end_of_image>"],
        "image_token_index": ids["<image_soft_token>"],
        "eos_token_id": [ids["<eos>"], ids["<end_of_turn>"]],
        "mm_tokens_per_image": 256,
        "text_config": {
            **{key: value for key, value in TEXT.items() if key != "hidden_act"},
            "model_type": "gemma3_text",
            "head_dim": 16,
            "query_pre_attn_scalar": 16,
            "rope_scaling": {"factor": 8.0, "rope_type": "linear"},
            "sliding_window": 1024,
            "vocab_size": made.get_vocab_size() + 64,
        },
        "vision_config": {
            "hidden_size": 16,
            "image_size": 896,
            "intermediate_size": 32,
            "model_type": "siglip_vision_model",
            "num_attention_heads": 2,
            "num_hidden_layers": 1,
            "patch_size": 14,
            "vision_use_head": False,
        },
        "torch_dtype": "bfloat16",
    }
    save(folder, config)


def save(folder: Path, config: Mapping[str, Any]) -> None:
    """Weights in shards, named as they were published, beside the configuration as given."""
    torch.manual_seed(0)
    write_json(folder / "config.json", config)
    kept = {path: path.read_bytes() for path in folder.glob("*.json")}
    model = AutoModelForImageTextToText.from_config(AutoConfig.from_pretrained(folder))
    shaken(model).save_pretrained(folder, max_shard_size=SHARD)
    for path, content in kept.items():
        path.write_bytes(content)


BUILDERS: Mapping[str, Callable[[Path], None]] = {
    "wan": wan,
    "qwen2_vl": qwen2_vl,
    "qwen2_5_vl": qwen2_5_vl,
    "video_llama3": video_llama3,
    "gemma3": gemma3,
}
