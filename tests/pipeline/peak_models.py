"""The embedded models whose memory is counted, and how close that should be to what the allocator
gives.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from transporter.coupling.settings import CouplingSettings
from transporter.generators.base import Generator
from transporter.pipeline.loading import load_generator, load_vlm
from transporter.pipeline.peaks import Pair
from transporter.vlms.base import VLM

ROOT = Path(__file__).resolve().parents[2]
CPU = torch.device("cpu")
SIZE = {"fps": 8, "frames": 17, "height": 64, "width": 64, "max_tokens": 16}
GENERATOR = {"adapter": "wan", "path": str(ROOT / "models/generator"), **SIZE}
VLM_SETTINGS = {"adapter": "qwen_vl", "path": str(ROOT / "models/vlms/qwen2_vl")}
CLIPS = 3
CLOSE = 0.2
Allocated = Callable[[Callable[[], object]], int]


def counted_pair() -> Pair:
    """Without weights."""
    return Pair(GENERATOR, VLM_SETTINGS, CouplingSettings(batch=CLIPS), gpu=False)


def whole_models() -> tuple[Generator, VLM]:
    """With all weights loaded."""
    generator = load_generator(GENERATOR, CPU)
    assert dict(generator.networks())
    return generator, load_vlm(VLM_SETTINGS, generator.video_shape, CPU)
