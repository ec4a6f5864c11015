"""From a model's settings in the configuration to its adapter."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import torch

from transporter.generators.base import Generator
from transporter.generators.wan import WanGenerator
from transporter.pipeline.devices import pick_device
from transporter.support.errors import UserError
from transporter.vlms.base import VLM
from transporter.vlms.gemma3 import Gemma3
from transporter.vlms.phi4_multimodal import Phi4Multimodal
from transporter.vlms.qwen_vl import QwenVL
from transporter.vlms.video_llama3 import VideoLlama3

GENERATORS: Mapping[str, type[Generator]] = {"wan": WanGenerator}
VLMS: Mapping[str, type[VLM]] = {
    "gemma3": Gemma3,
    "phi4_multimodal": Phi4Multimodal,
    "qwen_vl": QwenVL,
    "video_llama3": VideoLlama3,
}
_ADAPTER_ONLY = ("adapter", "steps", "guidance")
"""Settings of the configuration that choose an adapter or belong to sampling, not to loading."""


def _arguments(
    settings: Mapping[str, Any], known: Mapping[str, type]
) -> tuple[type, dict[str, Any]]:
    adapter = settings.get("adapter")
    if adapter not in known:
        raise UserError(f"key adapter: expected one of {', '.join(known)}, got {adapter!r}")
    arguments = {
        key: value
        for key, value in settings.items()
        if key not in _ADAPTER_ONLY and value is not None
    }
    taken = {
        name
        for part in known[adapter].__mro__
        for name in inspect.signature(part.__init__).parameters
    }
    if unknown := sorted(arguments.keys() - taken):
        raise UserError(f"key {unknown[0]}: the adapter {adapter} has no such setting")
    if "dtype" in arguments:
        arguments["dtype"] = getattr(torch, arguments["dtype"])
    return known[adapter], arguments


def load_generator(settings: Mapping[str, Any], device: torch.device | None = None) -> Generator:
    """Load the generator that `settings` (one entry of `generators` in the configuration)
    describe.
    """
    adapter, arguments = _arguments(settings, GENERATORS)
    return adapter(**arguments, device=device or pick_device())


def load_vlm(
    settings: Mapping[str, Any],
    video_shape: tuple[int, int, int, int],
    device: torch.device | None = None,
) -> VLM:
    """Load the VLM that `settings` (one entry of `vlms`) describe, for videos of `video_shape`
    (T, C, H, W).
    """
    adapter, arguments = _arguments(settings, VLMS)
    return adapter(**arguments, video_shape=tuple(video_shape), device=device or pick_device())
