"""The four modulations of the paper: interpolation, composition, step injection, partial frames.

All are one thing: a change `delta` of the condition, active in a range of sampling steps and of
latent frames. Interpolation is `phi q`, composition `sum_k phi_k q_k`; the two ranges give the
other two.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
    half-open shares in [0, 1] of sampling steps and latent frames.

    Raises:
        ValueError: a range that is empty or leaves [0, 1].
    """

    delta: Condition
    steps: tuple[float, float] = WHOLE
    frames: tuple[float, float] = WHOLE

    def __post_init__(self) -> None:
        for name, (first, last) in (("steps", self.steps), ("frames", self.frames)):
            if not 0 <= first < last <= 1:
                raise ValueError(
                    f"Expected {name} as (first, last) with 0 <= first < last <= 1, got ({first},"
                    f" {last})"
                )

    def active(self, step: int, steps: int) -> bool:
        """Whether sampling step `step` of `steps` lies in the range."""
        return _within(step, steps, self.steps)

    def frame_mask(self, frames: int) -> torch.Tensor:
        """1 where a latent frame is modulated: `(frames,)`."""
        return torch.tensor([float(_within(frame, frames, self.frames)) for frame in range(frames)])


def _within(index: int, count: int, share: tuple[float, float]) -> bool:
    return share[0] <= index / count < share[1]


def covered(share: tuple[float, float], count: int) -> list[int]:
    """Which of `count` steps or frames a range covers."""
    return [index for index in range(count) if _within(index, count, share)]


def compose(vectors: Mapping[str, torch.Tensor], strengths: Mapping[str, float]) -> torch.Tensor:
    """`sum_k phi_k q_k` of the named vectors, each `(L, d)` or `(1, d)`."""
    terms = [strength * vectors[name] for name, strength in strengths.items()]
    if not terms:
        raise ValueError("Expected at least one concept to compose, got none")
    return torch.stack(torch.broadcast_tensors(*terms)).sum(0)


@contextmanager
def frame_mixing(
    transformer: nn.Module, tokens: int, mask: torch.Tensor, axis: int = 2
) -> Iterator[None]:
    """Let a transformer of `diffusers` take two conditions at once and mix their velocities by
    latent frame.

    While active, a call whose `encoder_hidden_states` hold `2 * tokens` text tokens, two conditions
    `beside` each other, is run for either half, and frame f of the result is taken from the second
    half where `mask[f]` is 1. Calls with `tokens` text tokens pass unchanged. `axis` is that of the
    frames in the transformer's output.
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
        sides = [-1 if dimension == axis else 1 for dimension in range(base.ndim)]
        return (base.lerp(modulated, mask.to(base).view(sides)),)

    handles = [
        transformer.register_forward_pre_hook(split, with_kwargs=True),
        transformer.register_forward_hook(mix),
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
