"""Edits of a clip, under velocities that are known in closed form."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch

from transporter.generation.editing import Editing, flow_edit, sdedit
from transporter.generators.base import Generator
from transporter.generators.condition import Condition
from transporter.support.errors import UserError

SHAPE = (2, 3, 4, 4)
SOURCE = Condition(torch.full((1, 1, 1), 2.0))
CHANGE = Condition(torch.full((1, 1, 1), 3.0))


class _Clusters:
    """A generator of clips that are all one number, the mean of the condition: its velocity leads
    from anywhere straight to that clip.
    """

    def __init__(self) -> None:
        self.rows: list[int] = []

    def sigmas(self, steps: int) -> list[float]:
        return [1 - step / steps for step in range(steps + 1)]

    unconditional = Generator.unconditional

    def encode_text(self, captions: Sequence[str]) -> Condition:
        return Condition(torch.zeros(len(captions), 1, 1))

    def velocity(
        self, z_t: torch.Tensor, sigma: torch.Tensor, condition: Condition
    ) -> torch.Tensor:
        self.rows.append(len(z_t))
        clip = condition.embeddings.mean((1, 2)).view(-1, 1, 1, 1, 1)
        return (z_t - clip) / sigma.view(-1, 1, 1, 1, 1)


def clip(seed: int = 0) -> torch.Tensor:
    return torch.randn(1, *SHAPE, generator=torch.Generator().manual_seed(seed))


def test_at_strength_zero_the_clip_comes_back_and_nothing_is_computed() -> None:
    generator, z_0 = _Clusters(), clip()
    assert torch.equal(
        flow_edit(generator, z_0, SOURCE, CHANGE, [0.0, 0.0]), z_0.repeat(2, 1, 1, 1, 1)
    )
    assert generator.rows == []


def test_the_edit_moves_the_clip_as_the_condition_moves_the_generator() -> None:
    """Without guidance the difference of the velocities is that of the clips, over sigma; what the
    clip has beside them stays.
    """
    plain = Editing(steps=8, source_guidance=1.0, target_guidance=1.0)
    z_0, phis = clip(), [-1.0, 0.0, 0.5, 1.0, 2.0]
    edited = flow_edit(_Clusters(), z_0, SOURCE, CHANGE, phis, plain)
    for phi, z in zip(phis, edited, strict=True):
        torch.testing.assert_close(z, z_0[0] + 3 * phi)


def test_an_edit_does_not_hang_on_what_stands_beside_it() -> None:
    z_0, editing = clip(), Editing(steps=4, draws=2)
    together = flow_edit(_Clusters(), z_0, SOURCE, CHANGE, [0.25, 0.5, 1.0], editing, seed=3)
    alone = flow_edit(_Clusters(), z_0, SOURCE, CHANGE, [0.5], editing, seed=3)
    torch.testing.assert_close(together[1], alone[0])


def test_what_lies_outside_stays_to_the_last_bit() -> None:
    z_0, where = clip(), torch.zeros(SHAPE[1:])
    where[1:, 2:] = 1
    [edited] = flow_edit(_Clusters(), z_0, SOURCE, CHANGE, [1.0], where=where)
    free = where.bool().expand(SHAPE)
    assert torch.equal(edited[~free], z_0[0][~free])
    assert (edited[free] - z_0[0][free]).abs().min() > 1


def test_guidance_grows_with_the_strength() -> None:
    """Guidance w leads to w times the clip of the condition, as the empty caption's is 0."""
    editing = Editing(steps=4, source_guidance=1.5, target_guidance=3.0)
    z_0 = clip()
    half, whole, beyond = flow_edit(_Clusters(), z_0, SOURCE, CHANGE, [0.5, 1.0, 2.0], editing)
    for z, wanted in ((half, 2.25 * 3.5), (whole, 3 * 5.0), (beyond, 3 * 8.0)):
        torch.testing.assert_close(z, z_0[0] + wanted - 1.5 * 2)


def test_sdedit_ends_at_the_target_and_keeps_more_of_the_clip_from_a_lower_level() -> None:
    target = SOURCE + CHANGE
    z_0 = clip()
    whole = sdedit(_Clusters(), z_0, target, Editing(steps=4, target_guidance=1.0))
    torch.testing.assert_close(whole, torch.full_like(whole, 5.0))
    assert not torch.equal(sdedit(_Clusters(), z_0, SOURCE, seed=1), z_0)


def test_a_start_below_all_steps_is_refused() -> None:
    with pytest.raises(UserError, match=r"start: expected .* of 4 steps .* got 0\.1"):
        flow_edit(_Clusters(), clip(), SOURCE, CHANGE, [1.0], Editing(steps=4, start=0.1))
