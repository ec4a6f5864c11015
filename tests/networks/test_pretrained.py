"""Weights of a network of ours, from one file; folders of families are tested beside their
adapters.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

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
