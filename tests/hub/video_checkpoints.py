"""More tiny untrained VLMs with the hub's files, keys and names of tensors; frames are smaller than
there, and divide into as odd a number of patches.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from checkpoint_files import CLIP_MEAN, CLIP_STD, HALF, save, write_json
from hub_tokenizers import bytewise, qwen_tokenizer, write_tokenizer
from vlm_checkpoints import QWEN_TEMPLATE, TEXT

VISION: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "patch_size": 14,
}
IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
PLAIN = {"do_convert_rgb": True, "do_normalize": True, "do_rescale": True, "do_resize": True}


def qwen3_vl(folder: Path) -> None:
    """Qwen/Qwen3-VL-4B-Instruct."""
    ids = qwen_tokenizer(folder)
    write_json(folder / "chat_template.json", {"chat_template": QWEN_TEMPLATE})
    common = {
        "image_mean": HALF,
        "image_std": HALF,
        "merge_size": 2,
        "patch_size": 16,
        "processor_class": "Qwen3VLProcessor",
        "temporal_patch_size": 2,
    }
    kinds = {
        "preprocessor": ("image_processor_type", "Qwen2VLImageProcessorFast", 65536, 16777216),
        "video_preprocessor": ("video_processor_type", "Qwen3VLVideoProcessor", 4096, 25165824),
    }
    for name, (key, kind, least, most) in kinds.items():
        size = {"shortest_edge": least, "longest_edge": most}
        write_json(folder / f"{name}_config.json", {**common, key: kind, "size": size})
    text = {
        **TEXT,
        "model_type": "qwen3_vl_text",
        "bos_token_id": ids["<|endoftext|>"],
        "eos_token_id": ids["<|im_end|>"],
        "head_dim": 16,
        "rope_scaling": {
            "mrope_interleaved": True,
            "mrope_section": [2, 3, 3],
            "rope_type": "default",
        },
        "rope_theta": 5000000,
        "vocab_size": ids["size"],
    }
    vision = {
        "model_type": "qwen3_vl",
        "deepstack_visual_indexes": [0, 1],
        "depth": 3,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_heads": 4,
        "num_position_embeddings": 64,
        "out_hidden_size": 64,
        "patch_size": 16,
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
    }
    config = {
        "architectures": ["Qwen3VLForConditionalGeneration"],
        "model_type": "qwen3_vl",
        "image_token_id": ids["<|image_pad|>"],
        "video_token_id": ids["<|video_pad|>"],
        "vision_start_token_id": ids["<|vision_start|>"],
        "vision_end_token_id": ids["<|vision_end|>"],
        "text_config": text,
        "vision_config": vision,
        "tie_word_embeddings": False,
    }
    save(folder, config)


def vocabulary(folder: Path, special: Mapping[str, str], **config: Any) -> dict[str, int]:
    """A tokenizer of bytes and common words, whose special tokens have names; ids of all of them,
    and the number of pieces.
    """
    ends = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    made = bytewise([*ends, *special.values()])
    write_tokenizer(
        made,
        folder,
        bos_token=None,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        extra_special_tokens=dict(special),
        tokenizer_class="PreTrainedTokenizerFast",
        **config,
    )
    ids = {token: made.token_to_id(token) for token in (*ends, *special.values())}
    return ids | {"size": made.get_vocab_size()}


def qwen2_text(ids: Mapping[str, int]) -> dict[str, Any]:
    return {
        **TEXT,
        "model_type": "qwen2",
        "eos_token_id": ids["<|im_end|>"],
        "pad_token_id": ids["<|endoftext|>"],
        "rope_theta": 1000000.0,
        "tie_word_embeddings": False,
        "vocab_size": ids["size"] + 64,
    }


SMOL_TEMPLATE = (
    "<|im_start|>{% for message in messages %}{{message['role'] | capitalize}}"
    "{% if message['content'][0]['type'] == 'image' %}{{':'}}{% else %}{{': '}}{% endif %}"
    "{% for line in message['content'] %}{% if line['type'] == 'text' %}{{line['text']}}"
    "{% elif line['type'] == 'image' %}{{ '<image>' }}{% endif %}{% endfor %}<end_of_utterance>\n"
    "{% endfor %}{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)


def smolvlm(folder: Path) -> None:
    """HuggingFaceTB/SmolVLM2-2.2B-Instruct."""
    special = {
        "fake_image_token": "<fake_token_around_image>",
        "image_token": "<image>",
        "global_image_token": "<global-img>",
        "end_of_utterance_token": "<end_of_utterance>",
    }
    ids = vocabulary(folder, special)
    write_json(folder / "chat_template.json", {"chat_template": SMOL_TEMPLATE})
    size = {"longest_edge": 84}
    write_json(
        folder / "preprocessor_config.json",
        {
            **PLAIN,
            "do_image_splitting": True,
            "do_pad": True,
            "image_mean": HALF,
            "image_std": HALF,
            "image_processor_type": "SmolVLMImageProcessor",
            "max_image_size": size,
            "processor_class": "SmolVLMProcessor",
            "resample": 1,
            "size": {"longest_edge": 4 * 84},
            "video_sampling": {"fps": 1, "max_frames": 64, "video_size": size},
        },
    )
    write_json(
        folder / "processor_config.json",
        {"image_seq_len": 4, "processor_class": "SmolVLMProcessor"},
    )
    text = {**TEXT, "model_type": "llama", "pad_token_id": 0, "vocab_size": ids["size"]}
    config = {
        "architectures": ["SmolVLMForConditionalGeneration"],
        "model_type": "smolvlm",
        "image_token_id": ids["<image>"],
        "pad_token_id": 0,
        "scale_factor": 3,
        "text_config": text,
        "tie_word_embeddings": False,
        "vision_config": {**VISION, "image_size": 84, "model_type": "smolvlm_vision"},
        "vocab_size": ids["size"],
    }
    write_json(
        folder / "generation_config.json",
        {"eos_token_id": [ids["<|im_end|>"], ids["<end_of_utterance>"]]},
    )
    save(folder, config)


LLAVA_TEMPLATE = (
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + ' '}}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'image') %}"
    "{{ '<image>' }}{% endfor %}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'video') %}"
    "{{ '<video>' }}{% endfor %}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}"
    "{{ '\n' + content['text'] }}{% endfor %}{{'<|im_end|>'}}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def llava_onevision(folder: Path) -> None:
    """llava-hf/llava-onevision-qwen2-7b-ov-hf."""
    ids = vocabulary(folder, {"image_token": "<image>", "video_token": "<video>"})
    write_json(folder / "chat_template.json", {"chat_template": LLAVA_TEMPLATE})
    common = {
        **PLAIN,
        "image_mean": CLIP_MEAN,
        "image_std": CLIP_STD,
        "processor_class": "LlavaOnevisionProcessor",
        "resample": 3,
        "size": {"height": 70, "width": 70},
    }
    pinpoints = [[70, 70], [70, 140], [140, 70]]
    write_json(
        folder / "preprocessor_config.json",
        {
            **common,
            "image_grid_pinpoints": pinpoints,
            "image_processor_type": "LlavaOnevisionImageProcessor",
        },
    )
    write_json(
        folder / "video_preprocessor_config.json",
        {**common, "video_processor_type": "LlavaOnevisionVideoProcessor"},
    )
    write_json(
        folder / "processor_config.json",
        {
            "image_token": "<image>",
            "num_image_tokens": 25,
            "processor_class": "LlavaOnevisionProcessor",
            "video_token": "<video>",
            "vision_feature_select_strategy": "full",
        },
    )
    tower = {"model_type": "siglip_vision_model", "image_size": 70, "vision_use_head": False}
    config = {
        "architectures": ["LlavaOnevisionForConditionalGeneration"],
        "model_type": "llava_onevision",
        "image_grid_pinpoints": pinpoints,
        "image_token_index": ids["<image>"],
        "video_token_index": ids["<video>"],
        "projector_hidden_act": "gelu",
        "text_config": qwen2_text(ids),
        "tie_word_embeddings": False,
        "use_image_newline_parameter": True,
        "vision_aspect_ratio": "anyres_max_9",
        "vision_config": {**VISION, **tower},
        "vision_feature_layer": -1,
        "vision_feature_select_strategy": "full",
    }
    save(folder, config)


INTERN_TEMPLATE = (
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n'}}"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for content in message['content'] %}{% if content['type'] == 'image' %}"
    "{{ '<IMG_CONTEXT>\n' }}{% elif content['type'] == 'video' %}{{ '<video>\n' }}"
    "{% elif content['type'] == 'text' %}{{ content['text'] }}{% endif %}{% endfor %}{% endif %}"
    "{{'<|im_end|>\n'}}{% endfor %}"
    "{% if add_generation_prompt %}{{'<|im_start|>assistant\n' }}{% endif %}"
)


def internvl(folder: Path) -> None:
    """OpenGVLab/InternVL3-1B-hf."""
    special = {
        "context_image_token": "<IMG_CONTEXT>",
        "end_image_token": "</img>",
        "start_image_token": "<img>",
        "video_token": "<video>",
    }
    ids = vocabulary(folder, special)
    write_json(folder / "chat_template.json", {"chat_template": INTERN_TEMPLATE})
    common = {
        **PLAIN,
        **IMAGENET,
        "processor_class": "InternVLProcessor",
        "resample": 3,
        "size": {"height": 56, "width": 56},
    }
    write_json(
        folder / "preprocessor_config.json",
        {
            **common,
            "crop_to_patches": False,
            "image_processor_type": "GotOcr2ImageProcessorFast",
            "max_patches": 12,
            "min_patches": 1,
        },
    )
    write_json(
        folder / "video_preprocessor_config.json",
        {**common, "video_processor_type": "InternVLVideoProcessor"},
    )
    write_json(
        folder / "processor_config.json",
        {"image_seq_length": 4, "processor_class": "InternVLProcessor"},
    )
    tower = {
        "model_type": "internvl_vision",
        "image_size": [56, 56],
        "patch_size": [14, 14],
        "norm_type": "layer_norm",
        "use_qk_norm": False,
    }
    config = {
        "architectures": ["InternVLForConditionalGeneration"],
        "model_type": "internvl",
        "downsample_ratio": 0.5,
        "image_seq_length": 4,
        "image_token_id": ids["<IMG_CONTEXT>"],
        "projector_hidden_act": "gelu",
        "text_config": qwen2_text(ids),
        "tie_word_embeddings": False,
        "vision_config": {**VISION, **tower},
        "vision_feature_layer": -1,
        "vision_feature_select_strategy": "default",
    }
    save(folder, config)


VIDEO_BUILDERS: Mapping[str, Callable[[Path], None]] = {
    "qwen3_vl": qwen3_vl,
    "smol_vlm": smolvlm,
    "llava_onevision": llava_onevision,
    "internvl": internvl,
}
"""Adapters, and what writes a folder for each."""
