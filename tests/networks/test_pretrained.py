"""Weights of a network of ours, from one file; folders of families are tested beside their
adapters.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from transporter.networks import pretrained
from transporter.networks.pretrained import load_weights
from transporter.support.errors import UserError


def test_every_tensor_is_taken_from_the_file(tmp_path: Path) -> None:
    made, again = nn.Linear(3, 2), nn.Linear(3, 2)
    save_file(made.state_dict(), tmp_path / "w.safetensors")
    load_weights(again, tmp_path / "w.safetensors")
    assert torch.equal(made.weight, again.weight) and torch.equal(made.bias, again.bias)


@pytest.mark.parametrize(
    ("tensors", "expected"),
    [
        ({}, "lacks 2 tensors: bias, weight"),
        (
            {"weight": torch.zeros(2, 3), "bias": torch.zeros(2), "scale": torch.zeros(1)},
            "has beside those of the model 1 tensor: scale",
        ),
        (
            {"weight": torch.zeros(3, 2), "bias": torch.zeros(2)},
            "has in another shape 1 tensor: weight",
        ),
        (
            {"bias": torch.zeros(2), "weight": torch.zeros(2, 3)}
            | {f"n{index}": torch.zeros(1) for index in range(5)},
            "5 tensors: n0, n1, n2, ...",
        ),
    ],
)
def test_weights_of_another_network(
    tmp_path: Path, tensors: dict[str, torch.Tensor], expected: str
) -> None:
    network = nn.Linear(3, 2)
    before = network.weight.clone()
    save_file(tensors, tmp_path / "w.safetensors")
    with pytest.raises(UserError) as error:
        load_weights(network, tmp_path / "w.safetensors")
    assert expected in str(error.value) and "\n" not in str(error.value)
    assert torch.equal(network.weight, before)


def test_a_pickle_is_not_read(tmp_path: Path) -> None:
    torch.save(nn.Linear(3, 2).state_dict(), tmp_path / "w.safetensors")
    with pytest.raises(UserError, match="could not read it"):
        load_weights(nn.Linear(3, 2), tmp_path / "w.safetensors")


OURS = {"Probes", "ClipJudge", "Explainer", "cls"}
"""Whose `from_pretrained` is the project's own; `cls` is that of the one module that may load."""


def calls(path: Path) -> Iterator[str]:
    """What `from_pretrained` and `torch.load` are called on, and with what, in one file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            words = ast.unparse(node.func)
            told = {key.arg: ast.unparse(key.value) for key in node.keywords}
            if words.endswith(".from_pretrained") and words.split(".")[0] not in OURS:
                yield words
            if words == "torch.load" and told.get("weights_only") != "True":
                yield words
            if words.endswith(".load_adapter") and told.get("trust_remote_code") == "True":
                yield words


def test_models_of_others_are_loaded_in_one_place() -> None:
    """Which tells every library not to run what stands in the folder."""
    root = Path(__file__).resolve().parents[2]
    files = [
        path
        for folder in ("src", "workflow/scripts")
        for path in (root / folder).rglob("*.py")
        if path.name != "pretrained.py"
    ]
    assert len(files) > 100
    found = {str(path.relative_to(root)): list(calls(path)) for path in files}
    assert {name: words for name, words in found.items() if words} == {}
    assert pretrained.SAFE == {"trust_remote_code": False}
    assert pretrained.WEIGHTS["use_safetensors"] is True
