"""Checkpoints in the hub's layouts, made once for all tests here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import checkpoints
import pytest
import torch
from hub_models import ADAPTERS, FPS, NEGATIVE, PUBLISHED, SHAPE
from hub_project import FILES, hub_project
from pipeline import CORES, snakemake

from transporter.generators.wan import WanGenerator
from transporter.pipeline.loading import load_generator, load_vlm
from transporter.vlms.transformers_vlm import TransformersVLM


@pytest.fixture(scope="session")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of each family."""
    place = tmp_path_factory.mktemp("hub")
    for name, build in checkpoints.BUILDERS.items():
        build(place / name)
    return place


@pytest.fixture(scope="session")
def make_generator(hub: Path) -> Callable[..., WanGenerator]:
    def make(**changed: Any) -> WanGenerator:
        frames, _, height, width = SHAPE
        settings = {
            "adapter": "wan",
            "path": str(hub / "wan"),
            "dtype": "bfloat16",
            "frames": frames,
            "height": height,
            "width": width,
            "fps": FPS,
            "max_tokens": PUBLISHED,
            "negative_prompt": NEGATIVE,
        }
        return load_generator({**settings, **changed}, torch.device("cpu"))

    return make


@pytest.fixture(scope="session")
def generator(make_generator: Callable[..., WanGenerator]) -> WanGenerator:
    return make_generator()


@pytest.fixture(scope="session")
def make_vlm(hub: Path) -> Callable[..., TransformersVLM]:
    def make(name: str, shape: tuple[int, ...] = SHAPE, **changed: Any) -> TransformersVLM:
        settings = {
            "adapter": ADAPTERS[name],
            "path": str(hub / name),
            "dtype": "bfloat16",
            "describe": "Describe the video.",
            "frames": 1 if name == "gemma3" else None,
        }
        return load_vlm({**settings, **changed}, shape, torch.device("cpu"), FPS)

    return make


@pytest.fixture(scope="session")
def video() -> torch.Tensor:
    """Two clips of whole values in [0, 255], divided by 255."""
    random = torch.Generator().manual_seed(0)
    return torch.rand(2, *SHAPE, generator=random).mul(255).round() / 255


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, hub: Path) -> Path:
    """A project in the hub's shape in which the default target has come to its end; `said.txt` is
    what it said.
    """
    project = hub_project(tmp_path_factory.mktemp("public") / "project", hub)
    done = snakemake(project, *CORES, *FILES)
    assert done.returncode == 0, done.stdout[-6000:]
    (project / "said.txt").write_text(done.stdout)
    return project
