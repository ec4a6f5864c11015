"""The microworld's VLMs, untrained: small models of real families, with their processors."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import (
    Gemma3Config,
    Gemma3ForConditionalGeneration,
    Gemma3ImageProcessor,
    Gemma3Processor,
    PreTrainedModel,
    ProcessorMixin,
    Qwen2VLConfig,
    Qwen2VLForConditionalGeneration,
    VideoLlama3Config,
    VideoLlama3ForConditionalGeneration,
    VideoLlama3ImageProcessor,
    VideoLlama3Processor,
    VideoLlama3VideoProcessor,
)
from transformers.models.qwen2_vl.image_processing_qwen2_vl import Qwen2VLImageProcessor
from transformers.models.qwen2_vl.processing_qwen2_vl import Qwen2VLProcessor
from transformers.models.qwen2_vl.video_processing_qwen2_vl import Qwen2VLVideoProcessor
from transformers.video_utils import VideoMetadata

from microworld.clips import VIDEO_SHAPE
from microworld.language import BOS, EOS, IMAGE, PAD, VIDEO, build_tokenizer, vocabulary
from microworld.renderer import FPS, FRAMES, SIZE
from transporter.vlms.frames_vlm import FramesVLM
from transporter.vlms.gemma3 import Gemma3
from transporter.vlms.qwen_vl import QwenVL
from transporter.vlms.transformers_vlm import TransformersVLM
from transporter.vlms.video_llama3 import VideoLlama3

IDS = {token: index for index, token in enumerate(vocabulary())}
WIDTH, HEADS, LAYERS = 128, 4, 4
"""Of every language model."""
PATCH = 8
START, END = "<start_of_image>", "<end_of_image>"
Built = tuple[PreTrainedModel, ProcessorMixin]


def _language(size: int) -> dict[str, Any]:
    return {
        "vocab_size": size,
        "hidden_size": WIDTH,
        "intermediate_size": 3 * WIDTH,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": HEADS,
        "max_position_embeddings": 512,
        "tie_word_embeddings": True,
        "bos_token_id": IDS[BOS],
        "eos_token_id": IDS[EOS],
        "pad_token_id": IDS[PAD],
    }


def _template(medium: str, placeholder: str) -> str:
    """Each clip or frame becomes its placeholder; what is said about it follows."""
    return (
        BOS + " {% for message in messages %}{% for part in message['content'] %}{% if part['type']"
        " == '"
        + medium
        + f"' %}}{placeholder} "
        + "{% else %}{{ part['text'] }}{% endif %}{% endfor %}{% endfor %}"
    )


def qwen2_vl(
    vision: int = 256, vision_layers: int = 3, tubelet: int = 3, sampled: int = 6, merge: int = 2
) -> Built:
    """2 x 4 x 4 = 32 visual tokens, of three sampled frames each, so that motion shows within a
    token.
    """
    half = WIDTH // HEADS // 2
    section = [half - 2 * (half * 3 // 8), half * 3 // 8, half * 3 // 8]
    config = Qwen2VLConfig(
        vision_config={
            "depth": vision_layers,
            "embed_dim": vision,
            "hidden_size": WIDTH,
            "num_heads": HEADS,
            "mlp_ratio": 3,
            "patch_size": PATCH,
            "temporal_patch_size": tubelet,
            "spatial_merge_size": merge,
            "in_channels": 3,
        },
        text_config={
            **_language(len(IDS)),
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 1000.0,
                "mrope_section": section,
            },
        },
        image_token_id=IDS[IMAGE],
        video_token_id=IDS[VIDEO],
        vision_start_token_id=IDS[BOS],
        vision_end_token_id=IDS[BOS],
        tie_word_embeddings=True,
    )
    pixels = {
        "size": {"shortest_edge": SIZE * SIZE, "longest_edge": SIZE * SIZE},
        "patch_size": PATCH,
        "merge_size": merge,
        "temporal_patch_size": tubelet,
        "image_mean": [0.5] * 3,
        "image_std": [0.5] * 3,
    }
    processor = Qwen2VLProcessor(
        image_processor=Qwen2VLImageProcessor(**pixels),
        tokenizer=build_tokenizer(
            512, append_eos=False, extra_special_tokens={"video_token": VIDEO, "image_token": IMAGE}
        ),
        video_processor=Qwen2VLVideoProcessor(
            **pixels, cap_pixels_per_frame=False, do_sample_frames=True, num_frames=sampled
        ),
        chat_template=_template("video", VIDEO),
    )
    return Qwen2VLForConditionalGeneration(config), processor


def video_llama3(
    vision: int = 192, vision_layers: int = 3, sampled: int = 6, merge: int = 2
) -> Built:
    """6 x 4 x 4 = 96 visual tokens, of one sampled frame each, with their time written between the
    frames.
    """
    words = build_tokenizer(
        512, append_eos=False, extra_special_tokens={"video_token": VIDEO, "image_token": IMAGE}
    )
    config = VideoLlama3Config(
        text_config={
            "model_type": "qwen2",
            **_language(len(IDS)),
            "rope_parameters": {"rope_type": "default", "rope_theta": 1000.0},
        },
        vision_config={
            "hidden_size": vision,
            "intermediate_size": 3 * vision,
            "num_hidden_layers": vision_layers,
            "num_attention_heads": HEADS,
            "patch_size": PATCH,
        },
        image_token_id=IDS[IMAGE],
        video_token_id=IDS[VIDEO],
        tie_word_embeddings=True,
    )
    pixels = {
        "size": {"shortest_edge": SIZE * SIZE, "longest_edge": sampled * SIZE * SIZE},
        "patch_size": PATCH,
        "merge_size": merge,
    }
    processor = VideoLlama3Processor(
        image_processor=VideoLlama3ImageProcessor(**pixels),
        tokenizer=words,
        video_processor=VideoLlama3VideoProcessor(
            **pixels, do_sample_frames=True, num_frames=sampled, use_token_compression=False
        ),
        chat_template=_template("video", VIDEO),
    )
    return VideoLlama3ForConditionalGeneration(config), processor


def gemma3(vision: int = 192, vision_layers: int = 3, side: int = 2) -> Built:
    """2 x 2 visual tokens for each of the frames that it is shown as images."""
    special = {"image_token": IMAGE, "boi_token": START, "eoi_token": END}
    words = build_tokenizer(512, append_eos=False, extra_special_tokens=special)
    config = Gemma3Config(
        text_config={
            **_language(len(words)),
            "head_dim": WIDTH // HEADS,
            "query_pre_attn_scalar": WIDTH // HEADS,
            "sliding_window": 512,
            "layer_types": ["full_attention"] * LAYERS,
        },
        vision_config={
            "hidden_size": vision,
            "intermediate_size": 3 * vision,
            "num_hidden_layers": vision_layers,
            "num_attention_heads": HEADS,
            "image_size": SIZE,
            "patch_size": PATCH,
            "vision_use_head": False,
        },
        mm_tokens_per_image=side**2,
        boi_token_index=words.boi_token_id,
        eoi_token_index=words.eoi_token_id,
        image_token_index=words.image_token_id,
        tie_word_embeddings=True,
    )
    processor = Gemma3Processor(
        image_processor=Gemma3ImageProcessor(size={"height": SIZE, "width": SIZE}),
        tokenizer=words,
        image_seq_length=side**2,
        chat_template=_template("image", START),
    )
    model = Gemma3ForConditionalGeneration(config)
    # the class leaves it at zero, for weights to be loaded
    torch.nn.init.normal_(
        model.model.multi_modal_projector.mm_input_projection_weight, std=vision**-0.5
    )
    return model, processor


FAMILIES: Mapping[str, tuple[Callable[[], Built], type[TransformersVLM], Mapping[str, Any]]] = {
    "qwen2_vl": (qwen2_vl, QwenVL, {}),
    "video_llama3": (video_llama3, VideoLlama3, {"fps": FPS}),
    "gemma3": (gemma3, Gemma3, {"frames": 9}),
}
"""Name -> the untrained model, its adapter, and the adapter's settings."""


def load_family(
    name: str, folder: Path | str, device: torch.device | str = "cpu"
) -> TransformersVLM:
    """The adapter of a family's model in `folder`, for clips of the microworld."""
    _, adapter, settings = FAMILIES[name]
    return adapter(str(folder), VIDEO_SHAPE, **settings, device=device)


def untrained(name: str, seed: int, device: torch.device | str = "cpu") -> TransformersVLM:
    """A family's adapter around a model with random weights that can be trained."""
    torch.manual_seed(seed)
    model, processor = FAMILIES[name][0]()
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        processor.save_pretrained(folder)
        vlm = load_family(name, folder, device)
    vlm.model.requires_grad_(True).train()
    return vlm


def sampled_frames(vlm: TransformersVLM) -> np.ndarray:
    """Which frames of a clip the visual tokens show: `(S, F)`, S steps in time of F frames each."""
    if isinstance(vlm, FramesVLM):
        return np.array(vlm.frames)[:, None]
    processor = vlm.processor.video_processor
    frames = processor.sample_frames(VideoMetadata(total_num_frames=FRAMES, fps=FPS))
    return frames.numpy().reshape(-1, processor.temporal_patch_size)
