"""Folders of strangers: none of their code runs, and a model is whole or refused in one line."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hostile
import pytest
import torch

from transporter.pipeline.loading import load_vlm
from transporter.support.errors import UserError
from transporter.vlms.transformers_vlm import TransformersVLM

# the others' folders are loaded by the same code
OLDER = ("qwen_vl", "video_llama3", "gemma3", "phi4_multimodal")
UNSET = dict.fromkeys(("revision", "frames", "fps", "lora"))
JSON = {
    "config.json": ("AutoConfig", "AutoModel", "AutoModelForImageTextToText"),
    "tokenizer_config.json": ("AutoTokenizer",),
    "processor_config.json": ("AutoProcessor",),
    "preprocessor_config.json": ("AutoImageProcessor", "AutoProcessor", "AutoFeatureExtractor"),
    "video_preprocessor_config.json": ("AutoVideoProcessor",),
    "generation_config.json": ("AutoConfig",),
}
"""Files that may name code, and for what."""


@pytest.fixture(scope="module", params=OLDER)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def mine(folder: Path, tmp_path: Path) -> Path:
    """A copy of a family's folder, to be spoilt."""
    return Path(shutil.copytree(folder, tmp_path / "model"))


@pytest.fixture
def load(name: str, family: Any, mine: Path) -> Callable[[], TransformersVLM]:
    settings = {"adapter": name, "path": str(mine), "describe": "describe :", **UNSET}
    settings |= family.arguments
    return lambda: load_vlm(settings, family.shape, torch.device("cpu"))


@pytest.fixture
def mark(tmp_path: Path) -> Iterator[Path]:
    """What hostile code leaves behind."""
    mark = tmp_path / "caught"
    with hostile.trap(mark):
        yield mark


@pytest.mark.parametrize("file", JSON)
@pytest.mark.parametrize("known", [True, False])
def test_no_code_of_a_folder_runs(
    load: Callable[[], TransformersVLM], mine: Path, mark: Path, file: str, known: bool
) -> None:
    """Neither where the library has a class of its own nor where the folder's is the only one."""
    hostile.hostile_module(mine, mark, "evil", "generate", "modeling_evil")
    classes = {kind: "evil.Evil" for kind in JSON[file]}
    if "AutoTokenizer" in classes:
        classes["AutoTokenizer"] = ["evil.Evil", "evil.Evil"]
    others = {} if known else {"processor_class": "Evil", "tokenizer_class": "Evil"}
    hostile.changed_json(mine / file, auto_map=classes, **others)
    (mine / "custom_generate").mkdir()
    hostile.hostile_module(mine / "custom_generate", mark, "generate")
    try:
        load()
    except UserError as error:
        assert "\n" not in str(error)


def test_only_the_folders_own_class_is_known(
    load: Callable[[], TransformersVLM], mine: Path, mark: Path
) -> None:
    hostile.hostile_module(mine, mark, "evil")
    classes = {kind: "evil.Evil" for kind in JSON["config.json"]}
    hostile.changed_json(mine / "config.json", auto_map=classes, model_type="evil")
    assert "this folder is a evil: no adapter here loads it" in hostile.refusal(load)


def test_code_on_the_hub_is_not_named(load: Callable[[], TransformersVLM], mine: Path) -> None:
    hostile.changed_json(mine / "config.json", attn_implementation="evil/kernel")
    assert "attn_implementation: expected a kind of attention, got 'evil/kernel'" in (
        hostile.refusal(load)
    )


TENSORS = hostile.bad_tensors("layers.")


@pytest.mark.parametrize("kind", TENSORS)
def test_every_tensor_is_there(
    load: Callable[[], TransformersVLM], mine: Path, kind: str, family: Any
) -> None:
    change, expected = TENSORS[kind]
    change(mine)
    message = hostile.refusal(load)
    assert message.startswith(f"{mine}: expected all weights of a ")
    assert expected in message
    assert message.count(",") <= 3


BAD: dict[str, tuple[hostile.Change, str]] = {
    "empty folder": (hostile.emptied, "expected a qwen2_vl or qwen2_5_vl model"),
    "no folder": (shutil.rmtree, "there is no such folder here"),
    "no configuration": (hostile.removed("config.json"), "expected a qwen2_vl or qwen2_5_vl model"),
    "wrong JSON": (hostile.written("config.json", "{"), "expected a qwen2_vl or qwen2_5_vl model"),
    "a list": (hostile.written("config.json", "[]"), "expected a qwen2_vl or qwen2_5_vl model"),
    "deep JSON": (
        hostile.written("config.json", "[" * 100_000),
        "expected a qwen2_vl or qwen2_5_vl model",
    ),
    "another family": (
        lambda folder: hostile.changed_json(folder / "config.json", model_type="gemma3"),
        "expected a qwen2_vl or qwen2_5_vl, but this folder is a gemma3: use adapter gemma3",
    ),
    "a family of no adapter": (
        lambda folder: hostile.changed_json(folder / "config.json", model_type="qwen9_vl"),
        "this folder is a qwen9_vl: no adapter here loads it",
    ),
    "another size": (
        lambda folder: hostile.changed_json(
            folder / "config.json",
            text_config=json.loads((folder / "config.json").read_text())["text_config"]
            | {"intermediate_size": 5},
        ),
        "the folder has in another shape",
    ),
    "cut off": (lambda folder: hostile.cut_off(hostile.weights(folder)), "as safetensors, got"),
    "nothing in it": (hostile.written("model.safetensors", ""), "as safetensors, got"),
    "a text": (hostile.written("model.safetensors", "version https://git-lfs"), "as safetensors"),
    "no weights": (hostile.removed("model.safetensors"), "its weights as safetensors, got"),
    "a pickle": (
        lambda folder: hostile.as_pickle(folder, "pytorch_model.bin"),
        "its weights as safetensors, got",
    ),
    "a shard that is not there": (
        lambda folder: (
            hostile.weights(folder).unlink(),
            (folder / "model.safetensors.index.json").write_text(
                '{"metadata": {}, "weight_map": {"a": "model-00001-of-00002.safetensors"}}'
            ),
        ),
        "as safetensors, got",
    ),
    "no tokenizer": (hostile.removed("tokenizer.json"), "expected"),
    "half a tokenizer": (hostile.written("tokenizer.json", '{"version": '), "expected the process"),
    "no processor": (
        lambda folder: [
            path.unlink() for path in folder.glob("*process*") if path.suffix == ".json"
        ],
        "expected the processor of a qwen2_vl model",
    ),
    "no template": (hostile.removed("chat_template.jinja"), "expected a processor and template"),
    "a broken template": (
        hostile.written("chat_template.jinja", "{% for %}"),
        "expected a processor and template",
    ),
    "another placeholder": (
        lambda folder: hostile.changed_json(folder / "config.json", video_token_id=1),
        "expected a prompt with placeholders for the video, got one without",
    ),
    "a template without a clip": (
        hostile.written("chat_template.jinja", "what ?"),
        "expected a processor and template",
    ),
}


@pytest.mark.parametrize("name", ["qwen_vl"], indirect=True)
@pytest.mark.parametrize("kind", BAD)
def test_a_bad_folder_is_refused_in_one_line(
    load: Callable[[], TransformersVLM], mine: Path, kind: str
) -> None:
    change, expected = BAD[kind]
    change(mine)
    message = hostile.refusal(load)
    assert message.startswith(str(mine))
    assert expected in message


@pytest.mark.parametrize("name", ["qwen_vl"], indirect=True)
@pytest.mark.parametrize("path", ["nobody/nothing", "a", "a/b/c", "../../x y", ""])
def test_a_name_on_the_hub_that_is_out_of_reach(
    family: Any, path: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.chdir(tmp_path)
    settings = {"adapter": "qwen_vl", "path": path, **UNSET}
    message = hostile.refusal(lambda: load_vlm(settings, family.shape, torch.device("cpu")))
    assert message.startswith(path) and "expected a qwen2_vl or qwen2_5_vl model" in message


@pytest.mark.parametrize("name", ["phi4_multimodal"], indirect=True)
def test_low_rank_weights_are_no_pickle(family: Any, mine: Path) -> None:
    (mine / "vision-lora").mkdir()
    torch.save({}, mine / "vision-lora" / "adapter_model.bin")
    settings = {"adapter": "phi4_multimodal", "path": str(mine), **UNSET, **family.arguments}
    settings["lora"] = "vision-lora"
    message = hostile.refusal(lambda: load_vlm(settings, family.shape, torch.device("cpu")))
    assert "vision-lora: expected low-rank weights in adapter_model.safetensors" in message
