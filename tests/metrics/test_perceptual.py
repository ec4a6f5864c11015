"""LPIPS of the official images, and its invariants for videos."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torchmetrics.functional.image import lpips as lpips_module
from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity
from torchvision.models import alexnet
from torchvision.transforms.functional import to_tensor

from transporter.metrics.perceptual import VideoLPIPS
from transporter.support.errors import UserError


@pytest.fixture(scope="session")
def path(weights: Callable[[str], Path]) -> Path:
    return weights("lpips")


def untrained(net: str, pretrained: bool) -> torch.nn.Sequential:
    return alexnet(weights=None).features


def lpips(path: Path, video: torch.Tensor, reference: torch.Tensor, batch: int = 100) -> float:
    metric = VideoLPIPS(path)
    for some, others in zip(video.split(batch), reference.split(batch), strict=True):
        metric.update(some, others)
    return metric.compute()["lpips"]


@pytest.mark.parametrize(("image", "expected"), [("ex_p0", 0.722), ("ex_p1", 0.138)])
def test_official_images(path: Path, reference: Path, image: str, expected: float) -> None:
    """A still image is a video of one frame, or of equal ones."""
    still, other = (
        to_tensor(Image.open(reference / "lpips_imgs" / f"{name}.png").convert("RGB"))
        for name in ("ex_ref", image)
    )
    assert lpips(path, still[None, None], other[None, None]) == pytest.approx(expected, abs=5e-4)
    assert lpips(
        path, still.expand(1, 3, -1, -1, -1), other.expand(1, 3, -1, -1, -1)
    ) == pytest.approx(expected, abs=5e-4)


def test_zeros_and_ones(path: Path) -> None:
    """Published for clips of 64 x 64: 0.81401."""
    zeros = torch.zeros(1, 2, 3, 64, 64)
    assert lpips(path, zeros, zeros + 1) == pytest.approx(0.81401, abs=2e-4)


def test_equal_clips_order_batches_and_symmetry(path: Path, clips) -> None:
    video, other = clips(3, frames=2), clips(3, frames=2, seed=1)
    first = lpips(path, video, other)
    assert first > 0.05
    assert lpips(path, video, video) == 0
    assert lpips(path, video, other, batch=2) == pytest.approx(first, rel=1e-5)
    assert lpips(path, video.flip(0), other.flip(0)) == pytest.approx(first, rel=1e-5)
    assert lpips(path, other, video) == pytest.approx(first, rel=1e-5)


def test_the_mean_over_frames(path: Path, clips) -> None:
    video, other = clips(1, frames=3), clips(1, frames=3, seed=1)
    apart = [lpips(path, video[:, [t]], other[:, [t]]) for t in range(3)]
    assert lpips(path, video, other) == pytest.approx(sum(apart) / 3, rel=1e-5)


def test_protocol(path: Path, clips) -> None:
    metric = VideoLPIPS(path)
    metric.update(clips(2, frames=3), clips(2, frames=3))
    protocol = metric.protocol()
    assert len(protocol.pop("hash")) == 16
    assert protocol == {"frames": 3, "size": "64x64", "network": "alexnet v0.1"}
    assert (metric.unit, len(metric.per_clip()["lpips"])) == ("pairs", 2)


def test_the_network_is_that_of_torchmetrics_public_class(
    path: Path, clips, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bit for bit; the public class would download the weights that ours is given."""
    monkeypatch.setattr(lpips_module, "_get_tv_model_features", untrained)
    public = LearnedPerceptualImagePatchSimilarity("alex", normalize=True)
    public.net.net.load_state_dict(load_file(path))
    metric, video, other = VideoLPIPS(path), clips(1, frames=2), clips(1, frames=2, seed=1)
    metric.update(video, other)
    public.update(video[0], other[0])
    assert float(metric.per_clip()["lpips"]) == float(public.compute())


@pytest.mark.parametrize(
    "shapes", [((1, 2, 3, 64, 64), (1, 3, 3, 64, 64)), ((1, 2, 3, 30, 64), (1, 2, 3, 30, 64))]
)
def test_other_clips_are_refused(
    path: Path, shapes: tuple[tuple[int, ...], tuple[int, ...]]
) -> None:
    with pytest.raises(
        UserError, match="expected two sets of clips of one shape, at least 31 pixels a side"
    ):
        VideoLPIPS(path).update(*map(torch.zeros, shapes))
