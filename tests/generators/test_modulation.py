"""Modulations: ranges, and the mixing of velocities by frame."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from transporter.generators.condition import Condition
from transporter.generators.modulation import Modulation, frame_mixing

SHARES = st.tuples(st.floats(0, 1), st.floats(0, 1)).filter(lambda r: r[0] < r[1])


@given(SHARES, st.integers(1, 40))
def test_two_ranges_that_meet_cover_every_step_once(share: tuple[float, float], steps: int) -> None:
    first, last = share
    parts = [(a, b) for a, b in ((0.0, first), (first, last), (last, 1.0)) if a < b]
    delta = Condition(torch.zeros(1, 2, 3))
    for step in range(steps):
        assert sum(Modulation(delta, steps=part).active(step, steps) for part in parts) == 1


def test_frame_mask_is_half_open() -> None:
    later = Modulation(Condition(torch.zeros(1, 1, 1)), frames=(0.4, 1.0))
    assert later.frame_mask(5).tolist() == [0, 0, 1, 1, 1]


@pytest.mark.parametrize("share", [(0.5, 0.5), (-0.1, 1.0), (0.2, 1.1), (1.0, 0.0)])
def test_a_range_outside_its_bounds_is_refused(share: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="0 <= first < last <= 1"):
        Modulation(Condition(torch.zeros(1, 1, 1)), steps=share)


class _Echo(nn.Module):
    """Velocity = latent times the mean of the condition."""

    def forward(
        self,
        hidden_states: torch.Tensor,
        timestep: torch.Tensor,
        encoder_hidden_states: torch.Tensor,
    ) -> tuple:
        assert len(hidden_states) == len(timestep) == len(encoder_hidden_states)
        return (hidden_states * encoder_hidden_states.mean((1, 2)).view(-1, 1, 1, 1, 1),)


@pytest.mark.parametrize("axis", [1, 2])
def test_frames_come_from_the_half_that_the_mask_names(axis: int) -> None:
    model, mask = _Echo(), torch.tensor([0.0, 1.0, 1.0])
    z, t = torch.randn(2, 4, 3, 2, 2).movedim(2, axis), torch.ones(2)
    one, two = torch.full((2, 5, 7), 1.0), torch.full((2, 5, 7), 2.0)
    with frame_mixing(model, tokens=5, mask=mask, axis=axis):
        mixed = model(
            hidden_states=z, timestep=t, encoder_hidden_states=torch.cat([one, two], dim=1)
        )[0]
        plain = model(hidden_states=z, timestep=t, encoder_hidden_states=two)[0]
    first, others = (part.movedim(axis, 0) for part in (z, mixed))
    torch.testing.assert_close(others[:1], first[:1])
    torch.testing.assert_close(others[1:], 2 * first[1:])
    torch.testing.assert_close(plain, 2 * z)
    assert not model._forward_hooks
    assert not model._forward_pre_hooks


@pytest.mark.parametrize("axis", [1, 2])
def test_places_come_from_the_half_that_the_mask_names(axis: int) -> None:
    model = _Echo()
    where = (torch.rand(2, 3, 2, 2, generator=torch.Generator().manual_seed(0)) > 0.5).float()
    delta = Condition(torch.zeros(2, 5, 7))
    mask = Modulation(delta, frames=(0.4, 1.0), where=where).mask(3)
    assert torch.equal(mask[:, 1], torch.zeros(2, 2, 2))
    assert torch.equal(mask[:, 2], where[:, 2])
    # both clips with and without their captions, as some pipelines guide
    z, t = torch.randn(4, 6, 3, 2, 2).movedim(2, axis), torch.ones(4)
    one, two = torch.full((4, 5, 7), 1.0), torch.full((4, 5, 7), 2.0)
    with frame_mixing(model, tokens=5, mask=mask, axis=axis):
        mixed = model(
            hidden_states=z, timestep=t, encoder_hidden_states=torch.cat([one, two], dim=1)
        )[0]
    expected = z.movedim(axis, 2) * (1 + mask.repeat(2, 1, 1, 1)[:, None])
    torch.testing.assert_close(mixed.movedim(axis, 2), expected)


def test_weights_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match="with 2 rows of these"):
        Modulation(Condition(torch.zeros(2, 1, 1)), where=torch.ones(3, 2, 2, 2))
