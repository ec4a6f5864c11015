"""What embeds clips and captions in one space, as the settings name it."""

from collections.abc import Mapping
from typing import Any

import torch

from transporter.metrics.alignment import HubCLIP, VideoTextModel
from transporter.pipeline.world import load_world
from transporter.support.hashes import LENGTH, files_hash


def hub_clip(settings: Mapping[str, Any], device: torch.device) -> HubCLIP | None:
    """The CLIP of the settings `metrics`, if they name one."""
    if not settings["clip"]:
        return None
    return HubCLIP(settings["clip"], settings["clip_revision"], device)


def video_text(
    settings: Mapping[str, Any], world: str | None, device: torch.device
) -> tuple[VideoTextModel, str] | None:
    """A CLIP of the hub, or else the world's own judge, and its name and version; None where the
    settings `metrics` name neither.
    """
    if model := hub_clip(settings, device):
        return model, f"{settings['clip']} {settings['clip_revision']}"
    if judge := settings["clip_judge"]:
        return load_world(world).clip_judge(judge, device), f"judge {files_hash([judge])[:LENGTH]}"
    return None
