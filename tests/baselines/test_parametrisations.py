from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from transporter.baselines.parametrisations import Phase, Pixels, mean_magnitude
from transporter.support.errors import UserError


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@given(st.integers(1, 6), st.integers(1, 7), st.integers(1, 8), st.integers(0, 1000))
def test_phase_gives_a_real_video_of_exactly_this_magnitude(
    time: int, height: int, width: int, seed: int
) -> None:
    """Against NumPy's full transform, which knows nothing of halves; for odd and even sizes and any
    phase.
    """
    clips = [
        torch.rand(time, 3, height, width, generator=seeded(seed + k), dtype=torch.float64)
        for k in range(2)
    ]
    parameters = Phase(mean_magnitude(clips), width, seeded(seed))
    parameters.phase.data = 9 * torch.randn(
        parameters.phase.shape, generator=seeded(seed), dtype=torch.float64
    )
    video = parameters().detach()
    assert video.shape == (time, 3, height, width)
    assert video.dtype == torch.float64
    expected = np.mean([np.abs(np.fft.fftn(clip.numpy(), axes=(0, 2, 3))) for clip in clips], 0)
    np.testing.assert_allclose(
        np.abs(np.fft.fftn(video.numpy(), axes=(0, 2, 3))), expected, atol=1e-9
    )


def test_phase_of_a_clip_gives_the_clip() -> None:
    clip = torch.rand(5, 3, 6, 8, generator=seeded(0), dtype=torch.float64)
    parameters = Phase(mean_magnitude([clip]), 8, seeded(0))
    parameters.phase.data = torch.fft.rfftn(clip, dim=(0, 2, 3)).angle()
    real = torch.fft.rfftn(clip, dim=(0, 2, 3))
    negative = (real.imag.abs() < 1e-9) & (real.real < 0)
    shared = torch.zeros_like(negative)
    shared[..., [0, -1]] = True
    # a self-opposite frequency of negative sign has phase pi, which is not odd: the one thing that
    # the phase cannot say
    rest = torch.fft.rfftn(parameters().detach() - clip, dim=(0, 2, 3)).abs()
    assert float(rest[~(negative & shared)].max()) < 1e-9


def test_a_step_on_the_phase_keeps_the_magnitude() -> None:
    clips = [torch.rand(4, 3, 6, 6, generator=seeded(3))]
    parameters = Phase(mean_magnitude(clips), 6, seeded(1))
    optimiser = torch.optim.Adam(parameters.parameters(), lr=0.5)
    before = parameters().detach()
    parameters()[0].square().sum().backward()
    optimiser.step()
    assert (parameters().detach() - before).abs().max() > 0.01
    torch.testing.assert_close(
        torch.fft.rfftn(parameters(), dim=(0, 2, 3)).abs(),
        parameters.magnitude,
        atol=1e-4,
        rtol=1e-4,
    )


def test_mean_colour_is_that_of_the_clips() -> None:
    clips = [torch.rand(4, 3, 6, 6, generator=seeded(k)) for k in range(3)]
    made = Phase(mean_magnitude(clips), 6, seeded(1))()
    torch.testing.assert_close(made.mean((0, 2, 3)), torch.stack(clips).mean((0, 1, 3, 4)))


def test_no_clip_is_refused() -> None:
    with pytest.raises(UserError, match="at least one real clip"):
        mean_magnitude([])


def test_pixels_are_seeded_and_clipped() -> None:
    one, same, other = (Pixels((2, 3, 4, 4), 0.5, seeded(seed)) for seed in (0, 0, 1))
    assert torch.equal(one(), same())
    assert not torch.equal(one(), other())
    one.pixels.data.mul_(100)
    one.project()
    assert one().min() == 0
    assert one().max() == 1
