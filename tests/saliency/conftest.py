"""The tiny untrained pipelines of the tests of generators."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
import torch

from transporter.generators.diffusers_generator import DiffusersGenerator
from transporter.pipeline.loading import load_generator
from transporter.saliency.words import Words

_PATH = Path(__file__).parents[1] / "generators/conftest.py"
_SPEC = spec_from_file_location("tiny_generators", _PATH)
tiny = sys.modules["tiny_generators"] = module_from_spec(_SPEC)
_SPEC.loader.exec_module(tiny)

CAPTIONS = tiny.CAPTIONS
WORDS = [["circle", "day"], ["square", "sand"]]
"""One of the first clip's is not in its caption."""


@pytest.fixture(scope="module", params=tiny.FAMILIES)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def generator(name: str, tmp_path_factory: pytest.TempPathFactory) -> DiffusersGenerator:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("generator")
    pipeline = tiny.FAMILIES[name].build()
    tiny.shake(pipeline.transformer)
    pipeline.save_pretrained(path)
    settings = {"adapter": name, "path": str(path), "dtype": "float32", "options": None}
    return load_generator({**settings, **tiny.SIZE}, torch.device("cpu"))


@pytest.fixture(scope="module")
def words(generator: DiffusersGenerator) -> Words:
    return Words.of(generator, CAPTIONS, WORDS)


@pytest.fixture(scope="module")
def captions() -> list[str]:
    return CAPTIONS
