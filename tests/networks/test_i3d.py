"""The network gives the published logits, names what is seen, and can be turned round."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from transporter.networks.i3d import I3D, LABELS, MIN_FRAMES, SameMaxPool, Unit3D, preprocess
from transporter.support.errors import UserError


@pytest.fixture(scope="session")
def network(weights: Callable[[str], Path]) -> I3D:
    return I3D.load(weights("i3d"))


def test_logits_of_real_clips(network: I3D, golden) -> None:
    """Every sixth clip: a quarter of a minute on one idle core."""
    for name, expected in list(zip(golden.names, torch.from_numpy(golden.logits), strict=True))[
        ::6
    ]:
        with torch.no_grad():
            logits = network(golden.video(name))[0]
        assert (logits - expected).abs().max() < 1e-5 * expected.abs().max(), name


@pytest.mark.parametrize(
    ("clip", "label"),
    [
        ("mmaction2_demo.mp4", "arm wrestling"),
        ("askanything_hitting_baseball.mp4", "hitting baseball"),
        ("askanything_yoga.mp4", "yoga"),
    ],
)
def test_real_clips_are_named(network: I3D, golden, clip: str, label: str) -> None:
    with torch.no_grad():
        assert LABELS[int(network(golden.video(clip)).argmax())] == label


def test_the_gradient_is_the_slope() -> None:
    torch.manual_seed(0)
    network = I3D().double()
    video = torch.rand(1, MIN_FRAMES, 3, 32, 32, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(network(video)[0, 7], video)
    direction, step = gradient / gradient.norm(), 1e-5
    with torch.no_grad():
        ahead, behind = (network(video + sign * step * direction)[0, 7] for sign in (1, -1))
    assert float(gradient.norm()) > 0
    torch.testing.assert_close((ahead - behind) / (2 * step), gradient.norm(), rtol=1e-3, atol=0)


def test_stages_and_batch_norms_can_be_reached() -> None:
    network = I3D()
    norms, seen = network.batch_norms(), []
    assert len(norms) == 57 and all(
        norm.eps == 1e-3 and not norm.training for norm in norms.values()
    )
    network.Mixed_4c.register_forward_hook(lambda module, inputs, output: seen.append(output))
    video = torch.rand(1, 17, 3, 48, 64)
    with torch.no_grad():
        stages = dict(network.activations(video))
        torch.testing.assert_close(network(video), stages["Logits"])
    assert list(stages) == [name for name, _ in network.named_children()]
    assert torch.equal(seen[0], stages["Mixed_4c"])
    assert [
        tuple(stages[name].shape[1:])
        for name in ("Conv3d_1a_7x7", "Mixed_4c", "Mixed_5c", "Logits")
    ] == [
        (64, 9, 112, 112),
        (512, 5, 14, 14),
        (1024, 3, 7, 7),
        (400,),
    ]
    assert not any(parameter.requires_grad for parameter in network.parameters())


@given(size=st.tuples(*[st.integers(3, 9)] * 3), kernel=st.integers(1, 3), stride=st.integers(1, 2))
def test_padding_is_that_of_tensorflow(size: tuple[int, ...], kernel: int, stride: int) -> None:
    """Outputs are ceil(size / stride); output i begins at stride * i less half the padding, rounded
    down.
    """
    x = torch.rand(1, 1, *size)
    pooled = SameMaxPool((kernel,) * 3, (stride,) * 3)(x)[0, 0]
    spans = []
    for count in size:
        outputs = -(-count // stride)
        first = -(max((outputs - 1) * stride + kernel - count, 0) // 2)
        spans.append(
            [slice(max(first + stride * i, 0), first + stride * i + kernel) for i in range(outputs)]
        )
    assert pooled.shape == tuple(map(len, spans))
    for t, rows in enumerate(spans[0]):
        assert pooled[t, 0, -1] == x[0, 0, rows, spans[1][0], spans[2][-1]].max()
    with_gradient = SameMaxPool((kernel,) * 3, (stride,) * 3)(x.requires_grad_())
    assert torch.equal(with_gradient[0, 0], pooled)


def test_a_unit_of_stride_one_is_torchs_own_same_convolution() -> None:
    torch.manual_seed(0)
    unit = Unit3D(2, 4, 3).eval()
    x = torch.randn(1, 2, 5, 6, 7)
    expected = F.relu(F.conv3d(x, unit.conv.weight, padding="same") / (1 + 1e-3) ** 0.5)
    torch.testing.assert_close(unit(x), expected)


def test_frames_are_scaled_and_cropped_in_the_middle() -> None:
    video = torch.zeros(1, 9, 3, 112, 200)
    video[..., 44:156] = 1
    seen = preprocess(video)
    assert seen.shape == (1, 3, 9, 224, 224)
    assert (seen[..., 2:-2] == 1).all()
    exact = torch.rand(2, 9, 3, 224, 224)
    assert torch.equal(preprocess(exact), 2 * exact.transpose(1, 2) - 1)


@pytest.mark.parametrize("shape", [(9, 3, 64, 64), (1, 8, 3, 64, 64), (1, 9, 1, 64, 64)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(
        UserError, match=r"I3D: expected a video \(B, T, 3, H, W\) with T of at least 9, got"
    ):
        I3D()(torch.zeros(shape))
