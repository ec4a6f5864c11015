"""Adapters by name and by place, and what their constructors are given."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import torch

from transporter.pipeline import code_hash as code_hashes
from transporter.pipeline.adapters import GROUPS, adapter_module, import_adapter
from transporter.pipeline.code_hash import code_hash
from transporter.pipeline.loading import load_generator, load_vlm
from transporter.support.errors import UserError

ROOT = Path(__file__).parents[2]
STRANGER = ROOT / "tests" / "stranger"
SHAPE = (17, 3, 64, 64)
EARS: dict[str, Any] = {
    "adapter": "tones:Ears",
    "path": "stranger/ears",
    "describe": "say something",
    "dtype": "float32",
    "lora": None,
}


@pytest.fixture(autouse=True)
def stranger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(STRANGER))


@pytest.mark.parametrize("kind", GROUPS)
def test_our_own_adapters_are_offered_as_a_strangers_are(kind: str) -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
    for name, place in declared[GROUPS[kind]].items():
        module, _, adapter = place.partition(":")
        assert adapter_module(kind, name) == module == f"transporter.{kind}.{name}"
        assert import_adapter(kind, name).__name__ == adapter
        assert len(code_hash(module)) > 0


def test_only_the_adapter_that_is_asked_for_is_imported() -> None:
    """In an interpreter of its own: loading knows no family."""
    code = (
        "import sys; from transporter.pipeline.loading import import_adapter;"
        "before = set(sys.modules); import_adapter('vlms', 'qwen_vl');"
        "print(*sorted(n for n in sys.modules if n.startswith('transporter.vlms.')));"
        "print('diffusers' in sys.modules, 'transformers' in before)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    vlms, others = done.stdout.splitlines()
    names = ("base", "families", "pooled", "qwen_vl", "settings", "transformers_vlm", "video_vlm")
    assert vlms.split() == [f"transporter.vlms.{name}" for name in names]
    assert others == "False False"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("qwen", r"installed vlms \(gemma3, .*video_llama3\), got 'qwen'; did you mean qwen_vl\?"),
        ("nonsense", r"installed vlms \(.*\), got 'nonsense'$"),
        ("nowhere.models:Ears", r"no module 'nowhere' can be found; install it or put its folder"),
        ("tones.parts:Ears", r"'tones\.parts:Ears' to be imported from tones\.parts, got: No mod"),
        ("tones:Eyes", r"expected a class 'Eyes' in tones, found none"),
        ("tones:WORDS", r"expected a class 'WORDS' in tones, found none"),
        ("tones:Tones", r"expected a class that implements transporter\.vlms\.base\.VLM"),
    ],
)
def test_a_wrong_name_is_refused_in_one_line(name: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as refusal:
        load_vlm({**EARS, "adapter": name}, SHAPE)
    assert "\n" not in str(refusal.value)
    assert str(refusal.value).startswith("key adapter: ")


def test_options_reach_the_constructor() -> None:
    loud, plain = (
        load_vlm({**EARS, "options": options}, SHAPE, torch.device("cpu"))
        for options in ({"loudness": 3.0}, None)
    )
    assert (loud.loudness, plain.loudness) == (3.0, 1.0)
    assert loud.device == torch.device("cpu")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"loudnes": 1},
            r"key options\.loudnes: the adapter tones:Ears has no such setting; did y",
        ),
        ({"path": "x"}, r"key options\.path: .* has no key of its own beside options, got path"),
        ({"device": "x"}, r"key options\.device: expected an argument of the adapter"),
    ],
)
def test_options_that_the_constructor_does_not_take_are_refused(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        load_vlm({**EARS, "options": options}, SHAPE)


def test_an_argument_that_is_left_out_is_named() -> None:
    with pytest.raises(UserError, match=r"adapter tones:Tones got missing a required .* 'frames'"):
        load_generator({"adapter": "tones:Tones", "path": "stranger/tones"})


def test_a_module_without_a_package_is_hashed_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "lone.py").write_text("from transporter.vlms.base import VLM\n")
    before = code_hash("lone")
    assert "transporter.vlms.base" in code_hashes._closure(["lone"], ("transporter", "lone"))
    (tmp_path / "lone.py").write_text("from transporter.vlms.base import VLM\nLOUD = 1\n")
    for cached in (code_hashes._read, code_hashes._imports):
        cached.cache_clear()
    assert code_hash("lone") != before


@pytest.mark.parametrize(("setting", "expected"), [({}, 16), ({"fps": 8}, 8), ({"fps": None}, 16)])
def test_a_vlm_that_tells_times_is_told_the_rate_of_the_videos(
    setting: dict[str, float | None], expected: float
) -> None:
    shape, path = (17, 3, 64, 64), str(ROOT / "models" / "vlms" / "video_llama3")
    settings = {"adapter": "video_llama3", "path": path, **setting}
    assert load_vlm(settings, shape, fps=16).fps == expected
    load_vlm(
        {"adapter": "qwen_vl", "path": path.replace("video_llama3", "qwen2_vl")}, shape, fps=16
    )


def test_a_size_that_is_missing_is_named() -> None:
    settings = {"adapter": "wan", "path": "models/generator", "height": 64, "width": 64, "fps": 8}
    with pytest.raises(UserError, match="adapter wan got missing a required argument: 'frames'"):
        load_generator(settings)
