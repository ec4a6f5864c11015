"""The four modulations of the paper: interpolation, composition, step injection, partial frames;
and a fifth, in some places of the clip alone.

All are one thing: a change `delta` of the condition, active in a range of sampling steps and of
latent frames, and in some places of these. Interpolation is `phi q`, composition `sum_k phi_k q_k`;
the two ranges and the places give the others.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn

from transporter.generators.condition import Condition

WHOLE = (0.0, 1.0)
_CONDITION = ("encoder_hidden_states", "encoder_attention_mask", "pooled_projections")
_PER_CLIP = ("hidden_states", "timestep", "guidance")


@dataclass(frozen=True)
class Modulation:
    """`delta`, B rows or R for each of B conditions, is added to the condition; ranges are
    half-open shares in [0, 1] of sampling steps and latent frames, and `where` holds weights in
    [0, 1] of the latent's places, `(t, h, w)` or of every row of `delta` `(B R, t, h, w)`.

    Raises:
        ValueError: a range that is empty or leaves [0, 1], or weights of another shape.
    """

    delta: Condition
    steps: tuple[float, float] = WHOLE
    frames: tuple[float, float] = WHOLE
    where: torch.Tensor | None = None

    def __post_init__(self) -> None:
        if self.where is not None and self.where.shape[:-3] not in ((), (len(self.delta),)):
            raise ValueError(
                f"Expected where as (t, h, w), or with {len(self.delta)} rows of these, got"
                f" {tuple(self.where.shape)}"
            )
        for name, (first, last) in (("steps", self.steps), ("frames", self.frames)):
            if not 0 <= first < last <= 1:
                raise ValueError(
                    f"Expected {name} as (first, last) with 0 <= first < last <= 1, got ({first},"
                    f" {last})"
                )

    def active(self, step: int, steps: int) -> bool:
        """Whether sampling step `step` of `steps` lies in the range."""
        return _within(step, steps, self.steps)

    @property
    def partial(self) -> bool:
        """Whether some places of the latent have the condition without the change."""
        return self.frames != WHOLE or self.where is not None

    def mask(self, frames: int) -> torch.Tensor:
        """How far each place of a latent of so many frames is modulated: `(frames,)`, or with
        places `(..., frames, h, w)`.
        """
        mask = self.frame_mask(frames)
        return mask if self.where is None else self.where * mask[:, None, None].to(self.where)

    def frame_mask(self, frames: int) -> torch.Tensor:
        """1 where a latent frame is modulated: `(frames,)`."""
        return torch.tensor([float(_within(frame, frames, self.frames)) for frame in range(frames)])


def _within(index: int, count: int, share: tuple[float, float]) -> bool:
    return share[0] <= index / count < share[1]


def covered(share: tuple[float, float], count: int) -> list[int]:
    """Which of `count` steps or frames a range covers."""
    return [index for index in range(count) if _within(index, count, share)]


@contextmanager
def frame_mixing(
    transformer: nn.Module, tokens: int, mask: torch.Tensor, axis: int = 2
) -> Iterator[None]:
    """Let a transformer of `diffusers` take two conditions at once and mix their velocities by
    latent frame, or by place.

    While active, a call whose `encoder_hidden_states` hold `2 * tokens` text tokens, two conditions
    `beside` each other, is run for either half, and frame f of the result is taken from the second
    half where `mask[f]` is 1; a mask `(t, h, w)` or `(B, t, h, w)` says it of every place. Calls
    with `tokens` text tokens pass unchanged. `axis` is that of the frames in the transformer's
    output.
    """
    doubled = []

    def split(module: nn.Module, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
        doubled.append(kwargs["encoder_hidden_states"].shape[1] == 2 * tokens)
        if not doubled[-1]:
            return args, kwargs
        halves = {
            name: torch.cat(value.chunk(2, dim=1))
            for name in _CONDITION
            if (value := kwargs.get(name)) is not None
        }
        twice = {
            name: torch.cat([value] * 2)
            for name in _PER_CLIP
            if (value := kwargs.get(name)) is not None
        }
        return args, {**kwargs, **halves, **twice}

    def mix(module: nn.Module, args: tuple, output: tuple[torch.Tensor]) -> tuple[torch.Tensor]:
        if not doubled.pop():
            return output
        base, modulated = output[0].chunk(2)
        return (base.lerp(modulated, _spread(mask.to(base), len(base), axis)),)

    handles = [
        transformer.register_forward_pre_hook(split, with_kwargs=True),
        transformer.register_forward_hook(mix),
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _spread(mask: torch.Tensor, rows: int, axis: int) -> torch.Tensor:
    """A mask as it lies over a transformer's output of 5 dimensions."""
    if mask.ndim == 1:
        return mask.view([-1 if dimension == axis else 1 for dimension in range(5)])
    mask = mask if mask.ndim == 4 else mask[None]
    # a batch may hold every clip with and without its caption, one after the other
    mask = mask.repeat(rows // len(mask), 1, 1, 1)
    return mask.unsqueeze(3 - axis)
