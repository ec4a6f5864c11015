"""FVD beside a published implementation, cd-fvd: how far apart the numbers are, and which is
faster.

Run: `uv pip install --no-deps --target others cd-fvd==0.1.1 && PYTHONPATH=others python
benchmarks/fvd.py`. Both networks get the same weights, kept in `data/weights`.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

import torch
from cdfvd.third_party.i3d import utils as published
from cdfvd.third_party.i3d.pytorch_i3d import InceptionI3d

from transporter.metrics.frechet import frechet_distance
from transporter.networks.i3d import I3D, preprocess
from transporter.networks.published import fetch

NAMES = (
    (".conv.", ".conv3d."),
    (".norm.", ".bn."),
    ("Logits.Conv3d_0c_1x1", "logits"),
    ("Branch_0.Conv3d_0a_1x1", "b0"),
    ("Branch_1.Conv3d_0a_1x1", "b1a"),
    ("Branch_1.Conv3d_0b_3x3", "b1b"),
    ("Branch_2.Conv3d_0a_1x1", "b2a"),
    ("Branch_2.Conv3d_0b_3x3", "b2b"),
    ("Branch_3.Conv3d_0b_1x1", "b3b"),
)
"""What the published network calls the layers."""


def published_network(ours: I3D) -> InceptionI3d:
    """The published network with our weights."""
    state = {}
    for name, tensor in ours.state_dict().items():
        for mine, theirs in NAMES:
            name = name.replace(mine, theirs)
        state[name] = tensor
    network = InceptionI3d(400, in_channels=3)
    network.load_state_dict(state)
    return network.eval()


def alternate(
    rounds: int, *calls: Callable[[], torch.Tensor]
) -> tuple[list[list[float]], list[torch.Tensor]]:
    """Seconds of each call, taking turns, and what each gave."""
    times: list[list[float]] = [[] for _ in calls]
    for _ in range(rounds + 1):
        results = []
        for call, taken in zip(calls, times, strict=True):
            start = time.perf_counter()
            results.append(call())
            taken.append(time.perf_counter() - start)
    return [taken[1:] for taken in times], results  # the first round warms up


def report(what: str, times: list[list[float]], difference: str) -> None:
    ours, theirs = times
    ratio = statistics.median(slow / quick for quick, slow in zip(ours, theirs, strict=True))
    mine, other = statistics.median(ours), statistics.median(theirs)
    print(f"{what}: ours {mine:.3f} s, cd-fvd {other:.3f} s, ratio {ratio:.2f}; {difference}")


@torch.no_grad()
def main(rounds: int, clips: int = 1) -> None:
    torch.manual_seed(0)
    network = I3D.load(fetch("i3d", "data/weights"))
    other = published_network(network)
    video = torch.rand(clips, 16, 3, 128, 128)
    bytes_last = (video.permute(0, 1, 3, 4, 2) * 255).numpy()
    times, (ours, theirs) = alternate(
        rounds, lambda: network(video), lambda: other(published.preprocess_i3d(bytes_last))
    )
    for module in other.modules():
        if isinstance(module, torch.nn.BatchNorm3d):
            module.eps = 1e-3
    mended = other(preprocess(video))
    apart, after = (float((logits - ours).norm() / ours.norm()) for logits in (theirs, mended))
    report(
        "I3D, 16 frames",
        times,
        f"logits differ by {apart:.1e}, with TensorFlow's batch-norm epsilon by {after:.1e}",
    )
    real, generated = torch.randn(2, 256, 400) @ torch.randn(400, 400) / 20
    times, (ours, theirs) = alternate(
        rounds,
        lambda: frechet_distance(real, generated),
        lambda: published.frechet_distance(real, generated),
    )
    report(
        "Fréchet distance, 256 + 256 clips",
        times,
        f"values differ by {abs(float(theirs / ours) - 1):.1e}",
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
