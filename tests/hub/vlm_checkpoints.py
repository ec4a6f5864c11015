"""Tiny untrained VLMs as the hub has them (see `checkpoints`)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from checkpoint_files import CLIP_MEAN, CLIP_STD, HALF, save, write_json
from hub_tokenizers import qwen_tokenizer, sentencewise, write_tokenizer

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
