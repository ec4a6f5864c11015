"""What the planner says of public models at their full size, by their configurations.

Rules that are quick to count are counted here. Whole plans take minutes: they are asked for by the
variable TRANSPORTER_FULL_SIZE.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import full_size
import pytest
import torch

from transporter.coupling.settings import CouplingSettings
from transporter.pipeline.config import check_config, read_yaml
from transporter.pipeline.memory_plan import GB, memory_plan
from transporter.pipeline.memory_settings import MemorySettings
from transporter.pipeline.peaks import Pair
from transporter.pipeline.rule_memory import counted

ROOT = Path(__file__).resolve().parents[2]
CONCEPTS = 12
asked = pytest.mark.skipif(
    "TRANSPORTER_FULL_SIZE" not in os.environ, reason="TRANSPORTER_FULL_SIZE is not set"
)
Settings = Callable[[str], dict[str, Any]]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of configurations of a model by its name on the hub, each written once."""
    place = tmp_path_factory.mktemp("full_size")

    @cache
    def folder(name: str) -> Path:
        return full_size.build(name, place / name.replace("/", "+"))

    return folder


@pytest.fixture
def settings(built: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A shipped file, checked, with models as folders of configurations."""
    monkeypatch.chdir(ROOT)

    def made(name: str) -> dict[str, Any]:
        given = read_yaml(f"config/{name}.yaml")
        for kind in ("generators", "vlms"):
            for model in given[kind].values():
                model["path"] = str(built(model["path"]))
                for key in ("revision", "lora"):
                    model.pop(key, None)
        return check_config(given, [(name, given)], clips=False)

    return made


def test_a_consumer_gpu_has_room(settings: Settings) -> None:
    """Of the weights the published numbers: 1.4, 5.7 and 3.8 billion, two bytes each."""
    chosen = settings("one_gpu")
    [generator], [vlm] = chosen["generators"].values(), chosen["vlms"].values()
    coupling = {key: chosen["coupling"][key] for key in CouplingSettings().as_dict()}
    pair = Pair(generator, vlm, CouplingSettings.from_mapping(coupling), gpu=True)
    sizes = {name: size / GB for name, size in pair.parts.items()}
    assert sizes["transformer"] == pytest.approx(2.84, abs=0.05)
    assert sizes["text_encoder"] == pytest.approx(11.4, abs=0.1)
    assert sizes["vlm"] == pytest.approx(7.5, abs=0.1)
    rules = {rule.name: rule for rule in pair.light_rules(MemorySettings(**chosen["memory"]))}
    assert set(rules) == {"captions", "embed_generator", "embed_vlm", "coupling"}
    assert all(rule.peak < 24 * GB for rule in rules.values())
    # a job has the parts that it uses
    assert rules["embed_generator"].peak < 4 * GB < 11 * GB < rules["captions"].peak


def test_two_transformers_are_planned(settings: Settings, built: Callable[[str], Path]) -> None:
    """Wan 2.2 asks one of them at each noise level, and both are there."""
    chosen = settings("one_gpu")
    [generator], [vlm] = chosen["generators"].values(), chosen["vlms"].values()
    folder = built("Wan-AI/Wan2.2-T2V-A14B-Diffusers")
    pair = Pair({**generator, "path": str(folder)}, vlm, CouplingSettings(), gpu=True)
    sizes = pair.parts
    assert sizes["transformer"] == sizes["transformer_2"]
    assert sizes["transformer"] / GB == pytest.approx(28.6, abs=0.3)
    stage = counted(pair._velocity, several=False)
    assert 0 < stage.first < GB
    assert pair.generator.latent_shape == (16, 5, 30, 52)
    assert torch.tensor(pair.generator.condition_shape).tolist() == [512, 4096]


@asked
@pytest.mark.parametrize(("name", "memory"), [("one_gpu", 24), ("paper", 80)])
def test_shipped_settings_fit(settings: Settings, name: str, memory: int) -> None:
    made = memory_plan(settings(name), memory * GB, concepts=CONCEPTS)
    assert [need for need in made.needs if need.advice] == []
