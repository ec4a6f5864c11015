"""How the checkpoints are used in these tests."""

from __future__ import annotations

SHAPE = (9, 3, 96, 160)
FPS = 8
PUBLISHED = 512
"""Tokens of a prompt that Wan was trained with."""
NEGATIVE = "blurred details, worst quality"
ADAPTERS = {
    "qwen2_vl": "qwen_vl",
    "qwen2_5_vl": "qwen_vl",
    "video_llama3": "video_llama3",
    "gemma3": "gemma3",
}
