"""Folders of strangers: none of their code runs, and a pipeline is whole or refused in one line."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hostile
import pytest
import torch

from transporter.generators.diffusers_generator import DiffusersGenerator
from transporter.pipeline.loading import load_generator
from transporter.support.errors import UserError

INDEX = "model_index.json"


@pytest.fixture
def mine(folder: Path, tmp_path: Path) -> Path:
    """A copy of a family's folder, to be spoilt."""
    return Path(shutil.copytree(folder, tmp_path / "model"))


@pytest.fixture
def load(name: str, mine: Path, size: dict[str, int]) -> Callable[[], DiffusersGenerator]:
    settings = {"adapter": name, "path": str(mine), "dtype": "float32", "options": None, **size}

    def whole() -> DiffusersGenerator:
        generator = load_generator(settings, torch.device("cpu"))
        assert dict(generator.networks())
        return generator

    return whole


@pytest.fixture
def mark(tmp_path: Path) -> Iterator[Path]:
    """What hostile code leaves behind."""
    mark = tmp_path / "caught"
    with hostile.trap(mark):
        yield mark


def index(folder: Path) -> dict[str, Any]:
    return json.loads((folder / INDEX).read_text())


@pytest.mark.parametrize("kind", ["pipeline", "Pipeline", "module"])
def test_a_pipeline_of_the_folders_own_is_refused(
    load: Callable[[], DiffusersGenerator], mine: Path, mark: Path, kind: str
) -> None:
    hostile.hostile_module(mine, mark, "pipeline", "evil", "Pipeline")
    name = [kind, "Evil"] if kind != "module" else ["evil", index(mine)["_class_name"]]
    hostile.changed_json(mine / INDEX, _class_name=name)
    assert f"{mine / INDEX}: expected a " in hostile.refusal(load)


@pytest.mark.parametrize(
    "part", ["transformer", "vae", "text_encoder", "tokenizer", "scheduler", "more"]
)
@pytest.mark.parametrize(
    "value",
    [
        ["evil", "Evil"],
        ["os", "system"],
        ["transformers", "AutoTokenizer"],
        ["transformers", "AutoModel"],
        ["transformers", "no_class"],
        ["stable_diffusion", "StableDiffusionSafetyChecker"],
    ],
)
def test_a_part_of_the_folders_own_is_refused(
    load: Callable[[], DiffusersGenerator], mine: Path, mark: Path, part: str, value: list[str]
) -> None:
    (mine / part).mkdir(exist_ok=True)
    hostile.hostile_module(mine / part, mark, "evil")
    hostile.hostile_module(mine, mark, "evil")
    (mine / part / "config.json").touch()
    hostile.changed_json(mine / INDEX, **{part: value})
    message = hostile.refusal(load)
    assert f"{part}: expected a class of diffusers or transformers" in message


@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json"])
def test_no_code_of_a_part_runs(
    load: Callable[[], DiffusersGenerator], mine: Path, mark: Path, file: str
) -> None:
    classes = {kind: "evil.Evil" for kind in ("AutoConfig", "AutoModel", "AutoTokenizer")}
    for path in mine.rglob(file):
        hostile.hostile_module(path.parent, mark, "evil")
        hostile.changed_json(path, auto_map=classes)
    try:
        load()
    except UserError as error:
        assert "\n" not in str(error)


TENSORS = hostile.bad_tensors("block", "layers.")


@pytest.mark.parametrize("kind", TENSORS)
@pytest.mark.parametrize("part", ["transformer", "vae", "text_encoder"])
def test_every_tensor_is_there(
    load: Callable[[], DiffusersGenerator], mine: Path, part: str, kind: str
) -> None:
    change, expected = TENSORS[kind]
    change(mine / part)
    message = hostile.refusal(load)
    assert message.startswith(f"{mine / part}: expected all weights of a ")
    assert expected in message


@pytest.mark.parametrize("name", ["wan"], indirect=True)
def test_numbers_of_a_configuration_are_no_parts(
    load: Callable[[], DiffusersGenerator], mine: Path
) -> None:
    hostile.changed_json(mine / INDEX, clip_range=[0, 1])
    assert load().part("transformer") is not None


LEVELS = "expected values that make noise levels, got: "


def _with_scheduler(**values: Any) -> hostile.Change:
    return lambda folder: hostile.changed_json(folder / "scheduler/scheduler_config.json", **values)


BAD: dict[str, tuple[hostile.Change, str]] = {
    "empty folder": (hostile.emptied, "model_index.json: expected a file of JSON"),
    "no folder": (shutil.rmtree, "there is no such folder here"),
    "wrong JSON": (hostile.written(INDEX, "{"), "model_index.json: expected JSON"),
    "a list": (hostile.written(INDEX, "[]"), "model_index.json: expected a mapping"),
    "deep JSON": (hostile.written(INDEX, "[" * 100_000), "model_index.json: expected JSON"),
    "an image-to-video pipeline": (
        lambda folder: hostile.changed_json(folder / INDEX, _class_name="WanImageToVideoPipeline"),
        "expected a WanPipeline, got a 'WanImageToVideoPipeline'",
    ),
    "a VLM": (
        lambda folder: (
            hostile.emptied(folder),
            (folder / "config.json").write_text('{"model_type": "qwen2_vl"}'),
        ),
        "model_index.json: expected a file of JSON",
    ),
    "no transformer": (
        lambda folder: shutil.rmtree(folder / "transformer"),
        "expected a folder transformer with the WanTransformer3DModel, found none",
    ),
    "no configuration": (hostile.removed("vae/config.json"), "configuration of a AutoencoderKLWan"),
    "wrong configuration": (hostile.written("vae/config.json", "{"), "expected"),
    "another configuration": (
        hostile.written("transformer/config.json", '{"_class_name": "X", "num_layers": 7}'),
        "expected",
    ),
    "a part that is null": (
        lambda folder: hostile.changed_json(folder / INDEX, vae=[None, None]),
        "expected a WanPipeline",
    ),
    "cut off": (
        lambda folder: hostile.cut_off(hostile.weights(folder / "vae")),
        "its weights as safetensors, got",
    ),
    "nothing in it": (
        hostile.written("vae/diffusion_pytorch_model.safetensors", ""),
        "its weights as safetensors, got",
    ),
    "no weights": (
        hostile.removed("text_encoder/model.safetensors"),
        "its weights as safetensors, got",
    ),
    "a pickle": (
        lambda folder: hostile.as_pickle(folder / "vae", "diffusion_pytorch_model.bin"),
        "its weights as safetensors, got",
    ),
    "a pickle of the text": (
        lambda folder: hostile.as_pickle(folder / "text_encoder", "pytorch_model.bin"),
        "its weights as safetensors, got",
    ),
    "half a tokenizer": (hostile.written("tokenizer/tokenizer.json", '{"a'), "expected a WanPipe"),
    "no scheduler": (
        hostile.removed("scheduler/scheduler_config.json"),
        "expected a WanPipeline of diffusers, got",
    ),
    "a shift of text": (_with_scheduler(flow_shift="two"), LEVELS),
    "a shift that is none": (_with_scheduler(flow_shift=float("nan")), LEVELS),
}


@pytest.mark.parametrize("name", ["wan"], indirect=True)
@pytest.mark.parametrize("kind", BAD)
def test_a_bad_folder_is_refused_in_one_line(
    load: Callable[[], DiffusersGenerator], mine: Path, kind: str
) -> None:
    change, expected = BAD[kind]
    change(mine)
    message = hostile.refusal(load)
    assert message.startswith(str(mine))
    assert expected in message


@pytest.mark.parametrize("path", ["nobody/nothing", "a", "a/b/c", "../../x y"])
def test_a_name_on_the_hub_that_is_out_of_reach(
    size: dict[str, int], path: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.chdir(tmp_path)
    settings = {"adapter": "wan", "path": path, "dtype": "float32", "options": None, **size}
    message = hostile.refusal(lambda: load_generator(settings, torch.device("cpu")))
    assert message.startswith(f"{path} (there is no such folder here): expected a WanPipeline")
