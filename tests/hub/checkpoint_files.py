"""What the files of a checkpoint share, whatever model they are of."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import AutoConfig, AutoModelForImageTextToText

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


def save(folder: Path, config: Mapping[str, Any]) -> None:
    """Weights in shards, named as they were published, beside the configuration as given."""
    torch.manual_seed(0)
    write_json(folder / "config.json", config)
    kept = {path: path.read_bytes() for path in folder.glob("*.json")}
    model = AutoModelForImageTextToText.from_config(AutoConfig.from_pretrained(folder))
    shaken(model).save_pretrained(folder, max_shard_size=SHARD)
    for path, content in kept.items():
        path.write_bytes(content)
