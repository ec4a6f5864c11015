"""What a folder of `diffusers` says that it holds, and which adapter here drives it."""

from __future__ import annotations

from pathlib import Path

from diffusers import DiffusionPipeline

from transporter.generators.pipelines import INDEX
from transporter.networks.pretrained import load_safely, read_json

ADAPTERS = {
    "WanPipeline": "wan",
    "CogVideoXPipeline": "cogvideox",
    "HunyuanVideoPipeline": "hunyuan_video",
}
"""Classes of pipelines, and the adapters here that drive them."""
TOKENS = {"cogvideox": 226, "hunyuan_video": 256}
"""Tokens of a prompt that adapters of a family were trained with; all others take `MOST`."""
MOST = 512


def pipeline_name(path: str, revision: str | None = None) -> str:
    """The class of a pipeline, as its folder or its place on the hub says.

    Raises:
        UserError: there is no index that could say so.
    """
    if Path(path).is_dir():
        index = read_json(Path(path) / INDEX)
    else:
        expected = "a pipeline of diffusers"
        index = load_safely(DiffusionPipeline.load_config, path, expected, revision=revision)
    return str(index.get("_class_name") or "pipeline of no known class")
