"""The microworld's VLM, untrained: a small `Qwen2VLForConditionalGeneration` and its processor."""

from __future__ import annotations

from transformers import Qwen2VLConfig, Qwen2VLForConditionalGeneration
from transformers.models.qwen2_vl.image_processing_qwen2_vl import Qwen2VLImageProcessor
from transformers.models.qwen2_vl.processing_qwen2_vl import Qwen2VLProcessor
from transformers.models.qwen2_vl.video_processing_qwen2_vl import Qwen2VLVideoProcessor

from transporter.microworld.language import BOS, EOS, IMAGE, PAD, VIDEO, build_tokenizer, vocabulary
from transporter.microworld.renderer import SIZE

PATCH, MERGE, TUBELET, SAMPLED = 8, 2, 3, 6
"""Two tubelets of three sampled frames each: motion shows within a token, and a shape is not smeared over many frames."""
CELL = PATCH * MERGE
"""Pixels of a visual token's side."""
TOKENS = SAMPLED // TUBELET * (SIZE // CELL) ** 2
"""Visual tokens of a clip."""
IDS = {token: index for index, token in enumerate(vocabulary())}
_PIXELS = {
    "size": {"shortest_edge": SIZE * SIZE, "longest_edge": SIZE * SIZE},
    "patch_size": PATCH,
    "merge_size": MERGE,
    "temporal_patch_size": TUBELET,
    "image_mean": [0.5] * 3,
    "image_std": [0.5] * 3,
}
CHAT_TEMPLATE = (
    "{% for message in messages %}{% for part in message['content'] %}"
    "{% if part['type'] == 'video' %}" + f"{BOS} {VIDEO} " + "{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endfor %}"
)


def build_vlm(vision: int = 256, vision_layers: int = 3, hidden: int = 128, layers: int = 4) -> Qwen2VLForConditionalGeneration:
    """An untrained VLM; a clip becomes 2 x 4 x 4 = 32 visual tokens of width `hidden`."""
    heads = 4
    half = hidden // heads // 2
    section = [half - 2 * (half * 3 // 8), half * 3 // 8, half * 3 // 8]
    config = Qwen2VLConfig(
        vision_config={
            "depth": vision_layers,
            "embed_dim": vision,
            "hidden_size": hidden,
            "num_heads": heads,
            "mlp_ratio": 3,
            "patch_size": PATCH,
            "temporal_patch_size": TUBELET,
            "spatial_merge_size": MERGE,
            "in_channels": 3,
        },
        text_config={
            "vocab_size": len(IDS),
            "hidden_size": hidden,
            "intermediate_size": 3 * hidden,
            "num_hidden_layers": layers,
            "num_attention_heads": heads,
            "num_key_value_heads": heads,
            "max_position_embeddings": 512,
            "tie_word_embeddings": True,
            "bos_token_id": IDS[BOS],
            "eos_token_id": IDS[EOS],
            "pad_token_id": IDS[PAD],
            "rope_parameters": {"rope_type": "default", "rope_theta": 1000.0, "mrope_section": section},
        },
        image_token_id=IDS[IMAGE],
        video_token_id=IDS[VIDEO],
        vision_start_token_id=IDS[BOS],
        vision_end_token_id=IDS[BOS],
        tie_word_embeddings=True,
    )
    return Qwen2VLForConditionalGeneration(config)


def build_video_processor() -> Qwen2VLVideoProcessor:
    """The family's own processor, told to keep 64 x 64 pixels and to sample six frames."""
    return Qwen2VLVideoProcessor(**_PIXELS, cap_pixels_per_frame=False, do_sample_frames=True, num_frames=SAMPLED)


def build_processor() -> Qwen2VLProcessor:
    """Tokenizer, pixel processors and chat template, as `AutoProcessor` loads them from the model's folder."""
    tokenizer = build_tokenizer(max_length=512, append_eos=False, extra_special_tokens={"video_token": VIDEO, "image_token": IMAGE})
    return Qwen2VLProcessor(
        image_processor=Qwen2VLImageProcessor(**_PIXELS),
        tokenizer=tokenizer,
        video_processor=build_video_processor(),
        chat_template=CHAT_TEMPLATE,
    )
