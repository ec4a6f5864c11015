"""A tiny untrained model of each family, in a folder as `from_pretrained` loads it, and its
adapter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    Gemma3Config,
    Gemma3ForConditionalGeneration,
    Gemma3ImageProcessor,
    Gemma3Processor,
    Phi4MultimodalConfig,
    Phi4MultimodalFeatureExtractor,
    Phi4MultimodalForCausalLM,
    Phi4MultimodalImageProcessor,
    Phi4MultimodalProcessor,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    ProcessorMixin,
    VideoLlama3Config,
    VideoLlama3ForConditionalGeneration,
    VideoLlama3ImageProcessor,
    VideoLlama3Processor,
    VideoLlama3VideoProcessor,
)
from video_checkpoints import VIDEO_BUILDERS

from microworld.training.families import qwen2_vl
from transporter.pipeline.loading import load_vlm
from transporter.vlms.transformers_vlm import TransformersVLM

TEXT = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": 4096,
}
VISION = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
}
END_OF_TURN = "<end_of_turn>"
Built = tuple[PreTrainedModel, ProcessorMixin]


def tokenizer(**special: str) -> PreTrainedTokenizerFast:
    """One token per byte, so that time stamps and line breaks show in the ids."""
    vocabulary = {
        letter: index for index, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))
    }
    bytewise = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    bytewise.pre_tokenizer, bytewise.decoder = (
        pre_tokenizers.ByteLevel(add_prefix_space=False),
        decoders.ByteLevel(),
    )
    names = {"bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<pad>"}
    made = PreTrainedTokenizerFast(tokenizer_object=bytewise, **names, extra_special_tokens=special)
    made.add_tokens([END_OF_TURN], special_tokens=True)
    return made


def text_config(words: PreTrainedTokenizerFast) -> dict[str, Any]:
    ids = {
        "bos_token_id": words.bos_token_id,
        "eos_token_id": words.eos_token_id,
        "pad_token_id": words.pad_token_id,
    }
    return {**TEXT, **ids, "vocab_size": len(words)}


def template(start: str, medium: str, placeholder: str, turn: str) -> str:
    return (
        start
        + "{% for message in messages %}{% for part in message['content'] %}{% if part['type'] == '"
        + medium
        + "' %}"
        f"{placeholder}" + "{% else %}{{ part['text'] }}{% endif %}{% endfor %}{% endfor %}"
        "{% if add_generation_prompt %}" + turn + "{% endif %}"
    )


def video_llama3() -> Built:
    words = tokenizer(image_token="<|image_pad|>", video_token="<|video_pad|>")
    config = VideoLlama3Config(
        text_config={"model_type": "qwen2", **text_config(words)},
        vision_config={**VISION, "patch_size": 8},
        image_token_id=words.image_token_id,
        video_token_id=words.video_token_id,
    )
    size = {"size": {"shortest_edge": 16 * 16, "longest_edge": 6 * 64 * 64}, "patch_size": 8}
    processor = VideoLlama3Processor(
        image_processor=VideoLlama3ImageProcessor(**size),
        tokenizer=words,
        video_processor=VideoLlama3VideoProcessor(
            **size, do_sample_frames=True, fps=2, min_frames=2
        ),
        chat_template=template("user\n", "video", "<|video_pad|>\n", f"{END_OF_TURN}\nassistant\n"),
    )
    return VideoLlama3ForConditionalGeneration(config), processor


def gemma3() -> Built:
    words = tokenizer(
        image_token="<image_soft_token>", boi_token="<start_of_image>", eoi_token="<end_of_image>"
    )
    layers = ["sliding_attention", "full_attention"]
    config = Gemma3Config(
        # a window shorter than the prompt
        text_config={
            **text_config(words),
            "head_dim": 16,
            "sliding_window": 8,
            "layer_types": layers,
        },
        vision_config={**VISION, "image_size": 32, "patch_size": 8, "vision_use_head": False},
        mm_tokens_per_image=4,
        boi_token_index=words.boi_token_id,
        eoi_token_index=words.eoi_token_id,
        image_token_index=words.image_token_id,
    )
    processor = Gemma3Processor(
        image_processor=Gemma3ImageProcessor(size={"height": 32, "width": 32}),
        tokenizer=words,
        image_seq_length=4,
        chat_template=template(
            "<bos>user\n", "image", "<start_of_image>", f"{END_OF_TURN}\nmodel:"
        ),
    )
    return Gemma3ForConditionalGeneration(config), processor


def phi4_multimodal() -> Built:
    words = tokenizer(image_token="<|image|>", audio_token="<|audio|>")
    sizes = (
        "hidden_size",
        "intermediate_size",
        "nemo_conv_channels",
        "ext_pw_out_channel",
        "depthwise_separable_out_channel",
    )
    audio = {"num_blocks": 2, "num_attention_heads": 2, **dict.fromkeys(sizes, 16)}
    config = Phi4MultimodalConfig(
        **text_config(words),
        # the image processor counts 16 rows of 16 tokens per thumbnail whatever the size, so a crop
        # must be 32 patches wide
        vision_config={
            **VISION,
            "image_size": 64,
            "crop_size": 64,
            "patch_size": 2,
            "image_token_id": words.image_token_id,
        },
        audio_config={**audio, "audio_token_id": words.audio_token_id},
    )
    # as in the published folder, where a turn is text; loading drops the template from this
    # processor but not from its tokenizer
    turns = (
        "{% for message in messages %}<|user|>{{ message['content'] }}"
        + END_OF_TURN
        + "{% endfor %}<|assistant|>"
    )
    processor = Phi4MultimodalProcessor(
        image_processor=Phi4MultimodalImageProcessor(
            size={"height": 64, "width": 64}, patch_size=2
        ),
        audio_processor=Phi4MultimodalFeatureExtractor(),
        tokenizer=words,
        chat_template=turns,
    )
    return Phi4MultimodalForCausalLM(config), processor


@dataclass(frozen=True)
class Family:
    """How a family is built, and what its tests need to know of it."""

    build: Callable[[], Built] | None
    """Model and processor; none is of a folder in the hub's layout."""
    shape: tuple[int, int, int, int]
    tokens: tuple[int, int]
    frames: Sequence[int] | None = None
    """Frames that an image model is shown; a video model gets the clip."""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    """What the family's own processor must be told to do the same."""
    written: str | None = None
    """The placeholder, where the template takes a turn to be text."""
    answers: tuple[str, str] = ("yes", "n")
    """One of several tokens, one of one."""
    gap: str = ""


def times(frames: int, fps: float) -> dict[str, Any]:
    """When the frames of a clip are."""
    metadata = {
        "total_num_frames": frames,
        "fps": fps,
        "duration": frames / fps,
        "frames_indices": list(range(frames)),
    }
    return {"video_metadata": [metadata]}


OBLONG = (6, 3, 40, 96)
FAMILIES = {
    "qwen_vl": Family(
        qwen2_vl, (17, 3, 64, 64), (32, 128), answers=("grass night", "snow"), gap=" "
    ),
    # 2 of 4 frames per second, of 6 x 2 cells of 16 pixels each
    "video_llama3": Family(
        video_llama3,
        OBLONG,
        (3 * 6 * 2, 32),
        arguments={"fps": 4},
        settings={
            "use_token_compression": False,
            "video_metadata": [{"total_num_frames": 6, "fps": 4}],
        },
    ),
    "gemma3": Family(gemma3, OBLONG, (3 * 4, 32), frames=(1, 3, 5), arguments={"frames": 3}),
    # the thumbnail's 16 rows and the 14 rows that the clip fills in two crops, an end per row, and
    # one token between them
    "phi4_multimodal": Family(
        phi4_multimodal,
        OBLONG,
        (2 * (16 * 17 + 1 + 14 * 33), 32),
        frames=(1, 4),
        arguments={"frames": 2},
        written="<|image|>",
    ),
    # 4 frames, the least that its processor picks, in 2 steps of 1 x 3 cells of 32 pixels, each at
    # three depths
    "qwen3_vl": Family(
        None, OBLONG, (2 * 1 * 3, 3 * 64), arguments={"fps": 4}, settings=times(6, 4)
    ),
    # a frame is a square of 6 x 6 patches, 3 x 3 of which are one token
    "smol_vlm": Family(
        None,
        OBLONG,
        (6 * 4, 64),
        arguments={"fps": 0.5},
        settings=times(6, 0.5),
    ),
    # 5 x 5 patches, halved; the token at the end is the same for all clips
    "llava_onevision": Family(None, OBLONG, (6 * 9, 64), arguments={"fps": 4}),
    # 4 x 4 patches, 2 x 2 of which are one token
    "internvl": Family(None, OBLONG, (6 * 4, 64), arguments={"fps": 4}),
}


@torch.no_grad()
def _shake(model: PreTrainedModel) -> None:
    """Weights large enough for the clip to matter, also where a family starts from zero."""
    for weight in model.parameters():
        if weight.ndim > 1:
            weight.normal_(0, 1.5 * weight[0].numel() ** -0.5)


@pytest.fixture(scope="module", params=FAMILIES)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def family(name: str) -> Family:
    return FAMILIES[name]


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Folders in the hub's layout by their adapters' names, each written once."""
    place = tmp_path_factory.mktemp("published")

    def write(name: str) -> Path:
        if not (place / name).exists():
            VIDEO_BUILDERS[name](place / name)
        return place / name

    return write


@pytest.fixture(scope="module")
def folder(
    name: str,
    family: Family,
    tmp_path_factory: pytest.TempPathFactory,
    published: Callable[[str], Path],
) -> Path:
    if family.build is None:
        return published(name)
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("vlm")
    model, processor = family.build()
    _shake(model)
    model.save_pretrained(path)
    processor.save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def vlm(name: str, family: Family, folder: Path) -> TransformersVLM:
    unset = dict.fromkeys(("revision", "frames", "fps", "lora"))
    settings = {
        "adapter": name,
        "path": str(folder),
        "dtype": "float32",
        "describe": "describe the video :",
        **unset,
    }
    return load_vlm({**settings, **family.arguments}, family.shape, torch.device("cpu"))


@pytest.fixture(scope="module")
def video(family: Family) -> torch.Tensor:
    """Two clips of whole values in [0, 255], divided by 255."""
    return (
        torch.rand(2, *family.shape, generator=torch.Generator().manual_seed(0)).mul(255).round()
        / 255
    )
