"""What a folder says that it holds, and which adapter here loads it."""

from __future__ import annotations

from collections.abc import Sequence

from transformers import PreTrainedConfig, PreTrainedModel

from transporter.networks.pretrained import load_safely
from transporter.support.errors import UserError

ADAPTERS = {
    "qwen2_vl": "qwen_vl",
    "qwen2_5_vl": "qwen_vl",
    "qwen3_vl": "qwen3_vl",
    "smolvlm": "smol_vlm",
    "llava_onevision": "llava_onevision",
    "internvl": "internvl",
    "video_llama_3": "video_llama3",
    "gemma3": "gemma3",
    "phi4_multimodal": "phi4_multimodal",
}
"""Types of models, as their folders call them, and the adapters here that load them."""


def model_type(path: str, revision: str, wanted: str) -> str:
    """The type of a model of `transformers`, as its folder or its place on the hub says; `wanted`
    is what was hoped for.

    Raises:
        UserError: there is no configuration that could say so.
    """
    config, _ = load_safely(
        PreTrainedConfig.get_config_dict, path, f"a {wanted} model", revision=revision
    )
    if not isinstance(config, dict) or not config:
        raise UserError(f"{path}: expected a {wanted} model, found no mapping in a config.json")
    return config.get("model_type") or "model of no known type"


def family_class(
    path: str, revision: str, classes: Sequence[type[PreTrainedModel]]
) -> type[PreTrainedModel]:
    """The class that loads a folder.

    Raises:
        UserError: the folder says that it is of another family.
    """
    known = {one.config_class.model_type: one for one in classes}
    wanted = " or ".join(known)
    found = model_type(path, revision, wanted)
    if found not in known:
        raise UserError(
            f"{path}: expected a {wanted}, but this folder is a {found}: {advice(found)}"
        )
    return known[found]


def advice(found: str) -> str:
    """What to do with a model of such a type."""
    adapter = ADAPTERS.get(found)
    return f"use adapter {adapter}" if adapter else "no adapter here loads it"
