"""Editing a clip by a change of its condition: FlowEdit (Kulikov et al., 2025), which needs no
inversion, and SDEdit (Meng et al., 2022), noise added and taken away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch

from transporter.generators.base import Generator
from transporter.generators.condition import Condition
from transporter.support.errors import UserError

CLOSE = 1e-6


@dataclass(frozen=True)
class Editing:
    """How a clip is edited.

    Attributes:
        steps: of sampling, from noise level 1 down to 0; those above `start` are left out.
        start: noise level that the edit begins at, in (0, 1]: the lower, the more of the clip
            stays.
        source_guidance, target_guidance: scale of classifier-free guidance of what the clip shows
            and of what it shall show at strength 1.
        draws: noises that each step is averaged over (FlowEdit).
    """

    steps: int = 12
    start: float = 0.9
    source_guidance: float = 1.5
    target_guidance: float = 3.0
    draws: int = 1

    def levels(self, generator: Generator) -> list[float]:
        """Noise levels of the steps, 0 the last.

        Raises:
            UserError: none of the steps is at or below `start`.
        """
        levels = [level for level in generator.sigmas(self.steps) if level <= self.start + CLOSE]
        if len(levels) < 2:
            raise UserError(
                f"start: expected a noise level that one of {self.steps} steps is at or below, got"
                f" {self.start:g}; take more steps"
            )
        return levels


def guided(
    generator: Generator,
    z_t: torch.Tensor,
    sigma: float,
    condition: Condition,
    guidance: torch.Tensor,
) -> torch.Tensor:
    """Velocity `(B, c, t, h, w)` with classifier-free guidance, `guidance` `(B,)` of each row."""
    rows = len(z_t)
    empty = generator.unconditional().expand(rows)
    levels = torch.full((2 * rows,), sigma).to(z_t)
    both = generator.velocity(z_t.repeat(2, 1, 1, 1, 1), levels, Condition.cat([condition, empty]))
    given, free = both.chunk(2)
    return free.lerp(given, guidance.view(-1, 1, 1, 1, 1).to(z_t))


@torch.no_grad()
def flow_edit(
    generator: Generator,
    z_0: torch.Tensor,
    source: Condition,
    change: Condition,
    phis: Sequence[float],
    editing: Editing | None = None,
    seed: int = 0,
    where: torch.Tensor | None = None,
) -> torch.Tensor:
    """A clip at several strengths of a change, all from the same noises: `(P, c, t, h, w)`.

    The clip's own path and the edited one are noised alike, and the edit follows the difference of
    their velocities. At strength 0 both are one, and the clip comes back as it is; guidance grows
    with the strength up to 1.

    Args:
        z_0: the clip's latent `(1, c, t, h, w)`.
        source: what the clip shows, one row.
        change: what is added to it at strength 1, one row.
        phis: strengths; below 0 and above 1 are allowed.
        where: weights in [0, 1] of the latent's places, `(t, h, w)` or what broadcasts to it; by
            default the edit is free everywhere.

    Raises:
        UserError: no step begins at or below the editing's `start`.
    """
    editing = editing or Editing()
    moving = [phi for phi in phis if phi]
    edited = _flow_edit(generator, z_0, source, change, moving, editing, seed, where)
    clips = dict(zip(moving, edited, strict=True))
    return torch.stack([clips.get(phi, z_0[0]) for phi in phis])


def _flow_edit(
    generator: Generator,
    z_0: torch.Tensor,
    source: Condition,
    change: Condition,
    phis: Sequence[float],
    editing: Editing,
    seed: int,
    where: torch.Tensor | None,
) -> torch.Tensor:
    levels = editing.levels(generator)
    strengths = torch.tensor(phis).to(z_0)
    z = z_0.repeat(len(phis), 1, 1, 1, 1)  # (P, c, t, h, w)
    if not phis:
        return z
    target = source.expand(len(phis)) + strengths * change.expand(len(phis))
    own = torch.full((1,), editing.source_guidance).to(z_0)
    guidance = own + (editing.target_guidance - own) * strengths.abs().clamp(max=1)
    random = torch.Generator().manual_seed(seed)
    for sigma, after in pairwise(levels):
        flow = torch.zeros_like(z)
        for _ in range(editing.draws):
            noise = torch.randn(z_0.shape, generator=random).to(z_0)
            z_source = z_0.lerp(noise, sigma)
            z_target = z + (z_source - z_0)
            moved = guided(generator, z_target, sigma, target, guidance)
            flow += moved - guided(generator, z_source, sigma, source, own)
        step = (after - sigma) / editing.draws * flow
        z = z + (step if where is None else step * where.to(step))
    return z


@torch.no_grad()
def sdedit(
    generator: Generator,
    z_0: torch.Tensor,
    target: Condition,
    editing: Editing | None = None,
    seed: int = 0,
) -> torch.Tensor:
    """A clip `(1, c, t, h, w)` noised to the editing's `start` and sampled on under `target`, one
    row: `(1, c, t, h, w)`.
    """
    editing = editing or Editing()
    levels = editing.levels(generator)
    noise = torch.randn(z_0.shape, generator=torch.Generator().manual_seed(seed)).to(z_0)
    z = z_0.lerp(noise, levels[0])
    guidance = torch.full((1,), editing.target_guidance)
    for sigma, after in pairwise(levels):
        z = z + (after - sigma) * guided(generator, z, sigma, target, guidance)
    return z
